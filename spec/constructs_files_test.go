package spec

func swaggerConstructs() []construct   { return nil }
func operationConstructs() []construct { return nil }
func fileConstructs() []construct      { return nil }
