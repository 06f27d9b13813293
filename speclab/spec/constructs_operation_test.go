package spec

import (
	"testing"
)

func operationConstructs() []construct {
	const id = "parameters: [{in: path, name: id, required: true, schema: {type: string}}]\n"
	const head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
	body := func(content string) string { return id + "requestBody: {content: " + content + "}\n" + ok }
	answers := func(responses string) string { return id + "responses: " + responses }
	parameters := func(list string) string {
		return "parameters:\n- {in: path, name: id, required: true, schema: {type: string}}\n" + list + "\n" + ok
	}
	operations := map[string]string{
		"no name":                       id + ok,
		"name with signs":               "operationId: 'do.the-thing now'\n" + id + ok,
		"name that is a keyword":        "operationId: func\n" + id + ok,
		"name that begins with a digit": "operationId: 2fa\n" + id + ok,
		"long texts": "summary: |-\n  one\n  two */ `x`\ndescription: \"a\\r\\nb\\tc\\n\\n\"\n" +
			id + ok,
		"no answers":        id,
		"answers by number": answers("{200: {description: ok}, 404: {description: no}}"),
		"answers by range": answers(
			"{2XX: {description: ok}, 4xx: {description: no, content: {application/json: {schema: {type: object}}}}, default: {description: d, content: {application/json: {schema: {type: object}}}}}"),
		"answer without a description": answers("{200: {content: {application/json: {schema: {type: string}}}}}"),
		"answer without a schema":      answers("{200: {description: ok, content: {application/json: {}}}}"),
		"answer of several types": answers(
			"{200: {description: ok, content: {application/json: {schema: {type: object}}, text/plain: {schema: {type: string}}, image/png: {schema: {type: string, format: binary}}, '*/*': {schema: {type: string, format: binary}}}}}"),
		"answer of JSON twice": answers(
			"{200: {description: ok, content: {application/json: {schema: {type: object}}, application/json; charset=utf-8: {schema: {type: object}}, application/problem+json: {schema: {type: object}}}}}"),
		"answer of texts": answers(
			"{200: {description: ok, content: {text/html: {schema: {type: string}}}}, 302: {description: there, headers: {Location: {schema: {type: string}}}}}"),
		"answer of any text": answers("{200: {description: ok, content: {text/plain: {}}}}"),
		"answer of any bytes": answers(
			"{200: {description: ok, content: {application/octet-stream: {}}}}"),
		"answer of a form": answers(
			"{200: {description: ok, content: {application/x-www-form-urlencoded: {schema: {type: object, properties: {a: {type: string}}}}, multipart/mixed: {schema: {type: object}}}}}"),
		"answer of null and arrays": answers(
			"{200: {description: ok, content: {application/json: {schema: {type: [array, 'null'], items: {}}}}}, 201: {description: ok, content: {application/json: {schema: {type: [string, 'null']}}}}, 202: {description: ok, content: {application/json: {schema: {type: [object, 'null']}}}}, 203: {description: ok, content: {application/json: {schema: {type: integer}}}}, 404: {description: ok, content: {application/json: {schema: true}}}}"),
		"headers of answers": answers(
			"{200: {description: ok, headers: {X-A: {$ref: '#/components/headers/H'}, x-a: {schema: {type: integer}}, Content-Type: {schema: {type: string}}, X-B: {description: d}, X-C: {schema: {type: [string, integer]}}, X-D: {schema: {type: array, items: {type: string}}}, X-E: {required: true, schema: {type: string, enum: [a]}}}, content: {application/json: {schema: {type: object}}}}}"),
		"body of several types": body(
			"{application/json: {schema: {type: object}}, application/x-www-form-urlencoded: {schema: {type: object, properties: {a: {type: string}}}}, text/plain: {schema: {type: string}}, application/octet-stream: {schema: {type: string, format: binary}}}"),
		"body of any type": body("{'*/*': {schema: {type: string, format: binary}}}"),
		"body of images":   body("{'image/*': {}}"),
		"body of a form with files": body(
			"{multipart/form-data: {schema: {type: object, properties: {f: {type: string, format: binary}}}, encoding: {f: {contentType: image/png}}}}"),
		"body without a schema":     body("{application/json: {}}"),
		"body without content":      id + "requestBody: {required: true}\n" + ok,
		"body of two types at once": body("{application/json: {schema: {type: [object, string]}}}"),
		"body of a union": body(
			"{application/json: {schema: {oneOf: [{type: object, properties: {a: {type: string}}}, {type: string}]}}}"),
		"body of a form of any kind": body(
			"{application/x-www-form-urlencoded: {schema: {}}, multipart/form-data: {}}"),
		"body and example": body(
			"{application/json: {schema: {type: object}, example: '{\"a\": 1}', examples: {a: {value: 1}}}}"),
		"parameters with dots": parameters(
			"- {in: query, name: m.foo, schema: {type: string}}\n- {in: query, name: 'a[b]', schema: {type: string}}\n- {in: query, name: '$x', schema: {type: string}}\n- {in: query, name: '1', schema: {type: string}}"),
		"parameters that collide": parameters(
			"- {in: query, name: foo_bar, schema: {type: string}}\n- {in: header, name: Foo-Bar, schema: {type: string}}\n- {in: query, name: id, schema: {type: string}}\n- {in: cookie, name: fooBar, schema: {type: string}}"),
		"parameter twice": parameters(
			"- {in: query, name: a, schema: {type: string}}\n- {in: query, name: a, schema: {type: integer}}"),
		"parameter of two types": parameters(
			"- {in: query, name: a, schema: {type: [string, integer]}}\n- {in: query, name: b, schema: {type: [string, 'null']}}\n- {in: header, name: c, schema: {type: [string, integer]}}"),
		"parameter without a schema": parameters(
			"- {in: query, name: a}\n- {in: header, name: b}\n- {in: cookie, name: c}"),
		"parameter with content": parameters(
			"- {in: query, name: a, content: {application/json: {schema: {type: object, properties: {x: {type: string}}}}}}\n- {in: query, name: b, content: {application/json: {}}}"),
		"parameter of objects and lists": parameters(
			"- {in: query, name: a, schema: {type: array, items: {type: string}}}\n- {in: query, name: b, style: deepObject, explode: true, schema: {type: object, properties: {x: {type: string}}}}\n- {in: query, name: c, explode: false, schema: {type: array, items: {type: [string, integer]}}}\n- {in: header, name: d, schema: {type: array, items: {type: string}}}"),
		"parameter with an enum": parameters(
			"- {in: query, name: dir, schema: {type: string, enum: [f, b]}}\n- {in: query, name: n, schema: {type: integer, enum: [1, 2], default: 1}}\n- {in: query, name: u, schema: {oneOf: [{type: string}, {type: integer}]}}"),
		"parameter with an any": parameters(
			"- {in: query, name: a, schema: {$ref: '#/components/schemas/Any'}}\n- {in: header, name: h, schema: {$ref: '#/components/schemas/Any'}}"),
		"parameter named as a keyword": parameters(
			"- {in: query, name: type, schema: {type: string}}\n- {in: query, name: func, schema: {type: string}}\n- {in: query, name: params, schema: {type: string}}\n- {in: query, name: ctx, schema: {type: string}}"),
		"headers": parameters(
			"- {in: header, name: Content-Type, schema: {type: string}}\n- {in: header, name: Accept, schema: {type: string}}\n- {in: header, name: Authorization, required: true, schema: {type: string}}"),
		"parameter of the path not required": "parameters: [{in: path, name: id, schema: {type: string}}]\n" + ok,
		"parameter of the path of two types": "parameters: [{in: path, name: id, schema: {type: [string, integer]}}]\n" + ok,
		"security of none":                   "security: []\n" + id + ok,
		"security of any":                    "security: [{}, {t: []}]\n" + id + ok,
		"security that is undefined":         "security: [{nope: []}]\n" + id + ok,
		"links": answers(
			"{200: {description: ok, links: {next: {operationId: x, parameters: {a: '$response.body#/a'}}}}}"),
		"callbacks": id +
			"callbacks: {on: {'{$request.body#/url}': {post: {requestBody: {content: {application/json: {schema: {type: object}}}}, responses: {200: {description: ok}}}}}}\n" + ok,
		"deprecated":            "deprecated: true\ntags: [a, b]\nexternalDocs: {url: 'https://example.org'}\nx-changedInMatrixVersion: {'1.1': \"a\\nb\"}\n" + id + ok,
		"servers of its own":    "servers: [{url: /other}]\n" + id + ok,
		"consumes in version 3": "consumes: [a]\n" + id + ok,
	}
	rest := "components: {headers: {H: {schema: {type: string}}}, schemas: {Any: {}}, securitySchemes: {t: {type: http, scheme: bearer}}}\n"
	var all []construct
	for _, name := range sortedKeys(operations) {
		all = append(all, construct{name: "operation: " + name, spec: withOperation("3.1.0", operations[name]) + rest})
	}
	paths := func(list string) string { return head + "paths:\n" + indented(2, list) + "\n" + rest }
	get := "{get: {responses: {'200': {description: ok}}}}"
	return append(all,
		construct{name: "paths: two parameters at once", spec: paths("'/a/{x}{y}': " + get), want: gaps("{x}", "{y}")},
		construct{name: "paths: not declared",
			spec: paths("'/a/{x}/b/{y}': {get: {parameters: [{in: path, name: x, required: true, schema: {type: string}}], responses: {200: {description: ok}}}}"), want: gaps("{y}")},
		construct{name: "paths: declared and not there",
			spec: paths("'/a': {get: {parameters: [{in: path, name: x, required: true, schema: {type: string}}], responses: {200: {description: ok}}}}"), want: gaps("{x}")},
		construct{name: "paths: declared in both places",
			spec: paths("'/a/{x}': {parameters: [{in: path, name: x, required: true, schema: {type: string}}], get: {parameters: [{in: path, name: x, required: true, schema: {type: integer}}], responses: {200: {description: ok}}}}"), want: gaps()},
		construct{name: "paths: parameter with a dot", spec: paths("'/a/{room.id}/{m-x}/{type}': " + get)},
		construct{name: "paths: query", spec: paths("'/a?b=c': " + get),
			want: both(hasOperation("GET", "/a", "GetA"), gaps("b=c"))},
		construct{name: "paths: no slash", spec: paths("'a': " + get), want: hasOperation("GET", "/a", "GetA")},
		construct{name: "paths: root", spec: paths("/: " + get), want: hasOperation("GET", "/", "")},
		construct{name: "paths: none", spec: head + "paths: {}\n"},
		construct{name: "paths: null", spec: head + "paths:\n"},
		construct{name: "paths: path without operations", spec: paths("/a: {summary: s}\n/b: " + get)},
		construct{name: "paths: signs",
			spec: paths("'/.well-known/matrix/client': " + get + "\n'/_matrix/a:b/$c': " + get)},
		construct{name: "paths: all methods",
			spec: paths("/a: {get: " + get[6:len(get)-1] + ", put: " + get[6:len(get)-1] + ", delete: " +
				get[6:len(get)-1] + ", options: " + get[6:len(get)-1] + ", head: " + get[6:len(get)-1] + ", patch: " +
				get[6:len(get)-1] + ", trace: " + get[6:len(get)-1] + ", post: " + get[6:len(get)-1] + "}")},
		construct{name: "names: one operation twice",
			spec: paths("/a: {get: {operationId: x, responses: {200: {description: ok}}}}\n/b: {get: {operationId: x, responses: {200: {description: ok}}}}"), want: both(hasOperation("GET", "/a", "x"), hasOperation("GET", "/b", "GetB"), gaps("\"x\""))},
		construct{name: "names: operations that collide",
			spec: paths("/a: {get: {operationId: foo_bar, responses: {200: {description: ok}}}}\n/b: {get: {operationId: fooBar, responses: {200: {description: ok}}}}\n/c: {get: {responses: {200: {description: ok}}}}\n/d: {get: {operationId: GetC, responses: {200: {description: ok}}}}")},
		construct{name: "names: components that collide",
			spec: head + "paths: {/a: {get: {operationId: login, parameters: [{$ref: '#/components/parameters/limit'}], requestBody: {$ref: '#/components/requestBodies/error'}, responses: {200: {$ref: '#/components/responses/error'}, 400: {description: d, content: {application/json: {schema: {$ref: '#/components/schemas/login-request_object'}}}}}}}}\ncomponents:\n  parameters: {limit: {in: query, name: limit, schema: {type: string}}}\n  responses: {error: {description: d, content: {application/json: {schema: {$ref: '#/components/schemas/error'}}}}}\n  requestBodies: {error: {content: {application/json: {schema: {$ref: '#/components/schemas/limit'}}}}}\n  headers: {error: {schema: {type: string}}}\n  schemas: {error: {type: object}, Error: {type: string}, foo_bar: {type: string}, fooBar: {type: integer}, limit: {type: object}, login-request_object: {type: object}, LoginParams: {type: object}, ServerInterface: {type: object}, 'a/b c': {type: string}, '1x': {type: string}, '$': {type: string}, type: {type: string}, Login200JSONResponse: {type: object}, error_response: {type: string}}\n"},
		construct{name: "names: members of a union and components",
			spec: head + "paths: {}\ncomponents:\n  schemas:\n    S1: {oneOf: [{type: object, properties: {a: {type: string}}}, {type: object, properties: {b: {type: string}}}]}\n    S10: {type: object, properties: {c: {type: string}}}\n    S11: {type: integer}\n"},
		construct{name: "names: members of a union after null",
			spec: head + "paths: {}\ncomponents:\n  schemas:\n    S1: {type: object, properties: {x: {anyOf: [{type: 'null'}, {$ref: '#/components/schemas/S11'}, {type: object, properties: {a: {type: string}}}]}}}\n    S1X1: {type: object, properties: {c: {type: string}}}\n    S11: {type: integer}\n"},
		construct{name: "names: enums of properties and components",
			spec: head + "paths: {}\ncomponents:\n  schemas:\n    User: {type: object, properties: {status: {type: string, enum: [a, b]}, roles: {type: array, items: {type: string, enum: [r]}}}}\n    UserStatus: {type: object, properties: {c: {type: string}}}\n    UserRoles: {type: string, enum: [s, t]}\n"},
		construct{name: "servers: variables",
			spec: "servers: [{url: '{protocol}://{hostname}{basePath}', variables: {protocol: {enum: [http, https], default: https}, hostname: {default: localhost:8008}, basePath: {default: /_matrix/client/v3}}}]\n" + paths("/a: "+get), want: hasOperation("GET", "/_matrix/client/v3/a", "GetA")},
		construct{name: "servers: path item's",
			spec: "servers: [{url: /one}]\n" +
				paths("/a: {servers: [{url: 'https://x.example/two'}], get: {responses: {200: {description: ok}}}}"),
			want: hasOperation("GET", "/two/a", "GetA")},
		construct{name: "servers: host alone", spec: "servers: [{url: 'https://x.example'}]\n" + paths("/a: "+get),
			want: hasOperation("GET", "/a", "GetA")},
		construct{name: "webhooks", spec: head +
			"webhooks: {ping: {post: {requestBody: {content: {application/json: {schema: {type: object}}}}, responses: {200: {description: ok}}}}}\n", want: func(t *testing.T, a *API) {
			if a.Doc.Webhooks["ping"] == nil {
				t.Error("the webhook is lost")
			}
		}},
		construct{name: "doc: server and version",
			spec: "openapi: 3.0.0\nservers: [{url: /x}]\ninfo: {title: t, version: 1.1}\npaths: {}\n",
			want: func(t *testing.T, a *API) {
				if len(a.Doc.Servers) != 1 || a.Doc.Servers[0].URL != "/" || a.Doc.Info.Version != "1.1" ||
					!a.Doc.IsOpenAPI31OrLater() {
					t.Errorf("servers %v, version %s", a.Doc.Servers, a.Doc.Info.Version)
				}
			}},
		construct{name: "tags", spec: "tags: [{name: a, description: \"x\\ny\"}]\n" + paths("/a: "+get),
			want: func(t *testing.T, a *API) {
				if a.Doc.Tags.Get("a") == nil {
					t.Error("the tag is lost")
				}
			}},
		construct{name: "security: default", spec: "security: [{t: []}]\n" + paths("/a: "+get),
			want: func(t *testing.T, a *API) {
				if _, ok := a.Doc.Security[0]["t"]; !ok {
					t.Error("the security is lost")
				}
			}},
		construct{name: "security: schemes",
			spec: head + "paths: {}\ncomponents: {securitySchemes: {a: {type: http}, b: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://a.example', scopes: {}}}}, c: {type: openIdConnect, openIdConnectUrl: 'https://a.example'}, d: {$ref: '#/components/securitySchemes/a'}}}\n"},
	)
}
