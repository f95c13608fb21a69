"""The HTTP API: one router per resource, which calls the services and shapes what they return."""
