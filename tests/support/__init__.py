"""What tests share: the running product, and builders for what they send."""
