"""What things are: values and problems that every stage of the flow shares. No I/O."""
