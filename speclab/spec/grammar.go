package spec

import "strings"

// shape is a kind of object that OpenAPI knows, by OpenAPI's own name.
type shape string

const (
	documentShape       shape = "document"
	infoShape           shape = "info"
	componentsShape     shape = "components"
	pathsShape          shape = "paths"
	pathItemShape       shape = "path item"
	operationShape      shape = "operation"
	parameterShape      shape = "parameter"
	requestBodyShape    shape = "request body"
	mediaTypeShape      shape = "media type"
	encodingShape       shape = "encoding"
	responsesShape      shape = "responses"
	responseShape       shape = "response"
	headerShape         shape = "header"
	exampleShape        shape = "example"
	linkShape           shape = "link"
	callbackShape       shape = "callback"
	schemaShape         shape = "schema"
	securitySchemeShape shape = "security scheme"
	tagShape            shape = "tag"
	discriminatorShape  shape = "discriminator"

	textShape   shape = "text"   // a string
	flagShape   shape = "flag"   // true or false
	numberShape shape = "number" //
	wholeShape  shape = "whole"  // a number of things
	valueShape  shape = "value"  // any JSON: what it holds is data and not OpenAPI
	plainShape  shape = "plain"  // OpenAPI that nothing needs to look into
)

// withArticle is the shape's name for a message.
func (s shape) withArticle() string {
	if strings.ContainsRune("aeio", rune(s[0])) {
		return "an " + string(s)
	}
	return "a " + string(s)
}

// part is what may be under a key: one of a shape, a list, or a mapping of names to them.
type part struct {
	shape shape
	how   arrangement
}

type arrangement uint8

const (
	single arrangement = iota
	list
	mapped
)

func one(s shape) part    { return part{s, single} }
func listOf(s shape) part { return part{s, list} }
func mapOf(s shape) part  { return part{s, mapped} }

var (
	text  = one(textShape)
	flag  = one(flagShape)
	plain = one(plainShape)
)

// every marks shapes whose keys are names chosen by the author.
const every = "*"

// grammar says what may be under which key in OpenAPI 3.1.
var grammar = map[shape]map[string]part{
	documentShape: {
		"openapi": text, "info": one(infoShape), "jsonSchemaDialect": text, "servers": plain, "paths": one(pathsShape),
		"webhooks": mapOf(pathItemShape), "components": one(componentsShape), "security": plain,
		"tags": listOf(tagShape), "externalDocs": plain,
	},
	infoShape: {"title": text, "summary": text, "description": text, "termsOfService": text, "contact": plain,
		"license": plain, "version": text},
	tagShape: {"name": text, "description": text, "externalDocs": plain},
	componentsShape: {
		"schemas": mapOf(schemaShape), "responses": mapOf(responseShape), "parameters": mapOf(parameterShape),
		"examples":      mapOf(exampleShape),
		"requestBodies": mapOf(requestBodyShape), "headers": mapOf(headerShape),
		"securitySchemes": mapOf(securitySchemeShape),
		"links":           mapOf(linkShape), "callbacks": mapOf(callbackShape), "pathItems": mapOf(pathItemShape),
	},
	pathsShape: {every: one(pathItemShape)},
	pathItemShape: {
		"summary": text, "description": text, "servers": plain, "parameters": listOf(parameterShape),
		"get": one(operationShape), "put": one(operationShape), "post": one(operationShape),
		"delete":  one(operationShape),
		"options": one(operationShape), "head": one(operationShape), "patch": one(operationShape),
		"trace": one(operationShape),
	},
	operationShape: {
		"tags": listOf(textShape), "summary": text, "description": text, "externalDocs": plain, "operationId": text,
		"parameters": listOf(parameterShape), "requestBody": one(requestBodyShape), "responses": one(responsesShape),
		"callbacks": mapOf(callbackShape), "deprecated": flag, "security": plain, "servers": plain,
	},
	parameterShape: {
		"name": text, "in": text, "description": text, "required": flag, "deprecated": flag, "allowEmptyValue": flag,
		"style": text, "explode": flag,
		"allowReserved": flag, "schema": one(schemaShape), "example": one(valueShape), "examples": mapOf(exampleShape),
		"content": mapOf(mediaTypeShape),
	},
	headerShape: {
		"description": text, "required": flag, "deprecated": flag, "allowEmptyValue": flag, "style": text,
		"explode":       flag,
		"allowReserved": flag, "schema": one(schemaShape), "example": one(valueShape), "examples": mapOf(exampleShape),
		"content": mapOf(mediaTypeShape),
	},
	requestBodyShape: {"description": text, "content": mapOf(mediaTypeShape), "required": flag},
	mediaTypeShape: {"schema": one(schemaShape), "example": one(valueShape), "examples": mapOf(exampleShape),
		"encoding": mapOf(encodingShape)},
	encodingShape: {"contentType": text, "headers": mapOf(headerShape), "style": text, "explode": flag,
		"allowReserved": flag},
	responsesShape: {every: one(responseShape)},
	responseShape: {"description": text, "headers": mapOf(headerShape), "content": mapOf(mediaTypeShape),
		"links": mapOf(linkShape)},
	exampleShape: {"summary": text, "description": text, "value": one(valueShape), "externalValue": text},
	linkShape: {"operationRef": text, "operationId": text, "parameters": plain, "requestBody": plain,
		"description": text, "server": plain},
	callbackShape: {every: one(pathItemShape)},
	securitySchemeShape: {
		"type": text, "description": text, "name": text, "in": text, "scheme": text, "bearerFormat": text,
		"flows": plain, "openIdConnectUrl": text,
	},
	discriminatorShape: {"propertyName": text, "mapping": mapOf(textShape)},
	schemaShape: {
		"title": text, "description": text, "format": text, "pattern": text, "type": plain, "enum": listOf(valueShape),
		"const":   one(valueShape),
		"default": one(valueShape), "example": one(valueShape), "examples": listOf(valueShape), "externalDocs": plain,
		"xml":        plain,
		"multipleOf": one(numberShape), "maximum": one(numberShape), "minimum": one(numberShape),
		"exclusiveMaximum": one(numberShape), "exclusiveMinimum": one(numberShape),
		"maxLength": one(wholeShape), "minLength": one(wholeShape), "maxItems": one(wholeShape),
		"minItems":      one(wholeShape),
		"maxProperties": one(wholeShape), "minProperties": one(wholeShape), "maxContains": one(wholeShape),
		"minContains": one(wholeShape),
		"uniqueItems": flag, "readOnly": flag, "writeOnly": flag, "deprecated": flag, "allowEmptyValue": flag,
		"required": listOf(textShape), "properties": mapOf(schemaShape), "patternProperties": mapOf(schemaShape),
		"additionalProperties": one(schemaShape), "items": one(schemaShape), "prefixItems": listOf(schemaShape),
		"contains": one(schemaShape),
		"allOf":    listOf(schemaShape), "anyOf": listOf(schemaShape), "oneOf": listOf(schemaShape),
		"not": one(schemaShape),
		"if":  one(schemaShape), "then": one(schemaShape), "else": one(schemaShape), "propertyNames": one(schemaShape),
		"dependentSchemas": mapOf(schemaShape), "dependentRequired": plain, "unevaluatedItems": one(schemaShape),
		"unevaluatedProperties": one(schemaShape),
		"discriminator":         one(discriminatorShape), "contentMediaType": text, "contentEncoding": text,
		"contentSchema": one(schemaShape),
		"$defs":         mapOf(schemaShape), "$comment": text,
	},
}

// section is the section of components for a shape; shapes without one are inlined where they are referred to.
var section = map[shape]string{
	schemaShape: "schemas", responseShape: "responses", parameterShape: "parameters", requestBodyShape: "requestBodies",
	headerShape: "headers", securitySchemeShape: "securitySchemes", linkShape: "links", callbackShape: "callbacks",
}

// methods are the operations that a path item may have, in the order in which documents show them.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func isExtension(name string) bool { return strings.HasPrefix(name, "x-") }

// partOf is what the grammar allows under a key.
func partOf(s shape, name string) (part, bool) {
	if p, ok := grammar[s][name]; ok {
		return p, true
	}
	p, ok := grammar[s][every]
	return p, ok
}
