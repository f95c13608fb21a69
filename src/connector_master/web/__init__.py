"""The pages: what people see and do in a browser. They call the same services as the API, and decide nothing."""
