"""The shape of decoded JSON, and of form bodies once they are nested like JSON."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
