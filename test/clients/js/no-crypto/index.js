// Nothing: a client that only logs in encrypts nothing.
