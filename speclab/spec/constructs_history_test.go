package spec

import "testing"

// historyConstructs are written as Matrix's files were between 2014 and 2025, in our own words.
func historyConstructs() []construct {
	return []construct{
		{name: "history: 2014", spec: `
swagger: '2.0'
info:
  title: "Old API"
  version: "1.0.0"
host: localhost:8008
schemes:
  - https
  - http
basePath: /_matrix/client/api/v1
consumes:
  - application/json
produces:
  - application/json
securityDefinitions:
  accessToken:
    type: apiKey
    description: A token
    name: access_token
    in: query
paths:
  "/rooms/{roomId}/send/{eventType}/{txnId}":
    put:
      summary: Send.
      description: |-
        Sends.
      security:
        - accessToken: []
      parameters:
        - in: path
          type: string
          name: roomId
          description: The room.
          required: true
          x-example: "!x:y"
        - in: path
          type: string
          name: eventType
          required: true
          x-example: "m.room.message"
        - in: path
          type: string
          name: txnId
          required: true
          x-example: 35
        - in: query
          type: integer
          name: limit
          default: 10
          x-example: "20"
        - in: query
          type: array
          items:
            type: string
          name: ids
        - in: body
          name: body
          schema:
            type: object
            example: |-
              {
                "body": "x"
              }
      responses:
        200:
          description: "Sent."
          examples:
            application/json: |-
              {
                "event_id": "y"
              }
          schema:
            type: object
            properties:
              event_id:
                type: string
                description: |-
                  An id.
              chunk:
                type: array
                items:
                  type: object
                  title: Event
                  required: true
                  allOf:
                    - "$ref": "core-event-schema/room_event.json"
        429:
          description: limited
          schema:
            "$ref": "definitions/error.yaml"
    x-comment: |
      two
      lines
-- definitions/error.yaml --
type: object
description: An error
properties:
  errcode:
    type: string
required: ["errcode"]
-- core-event-schema/room_event.json --
{
	"type": "object",
	"title": "Room Event",
	"description": "In addition",
	"allOf": [{"$ref": "event.json"}],
	"properties": {
		"room_id": {"type": "string"},
		"unsigned": {"type": "object", "properties": {"age": {"type": "integer", "format": "int64"}}}
	},
	"required": ["room_id"]
}
-- core-event-schema/event.json --
{"type": "object", "properties": {"content": {"type": "object", "title": "EventContent"}, "type": {"type": "string"}}, "required": ["type", "content"]}
`, want: both(hasOperation("PUT", "/_matrix/client/api/v1/rooms/{roomId}/send/{eventType}/{txnId}", "PutRoomsRoomIdSendEventTypeTxnId"), schemas("error", "event", "room_event"))},
		{name: "history: 2018", spec: `
swagger: '2.0'
info: {title: "Client API", version: "1.0.0"}
host: localhost:8008
schemes: [https, http]
basePath: /_matrix/client/%CLIENT_MAJOR_VERSION%
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  $ref: definitions/security.yaml
paths:
  "/register":
    post:
      summary: Register.
      operationId: register
      parameters:
        - in: query
          name: kind
          type: string
          x-example: user
          required: false
          default: user
          enum:
            - guest
            - user
        - in: body
          name: body
          schema:
            type: object
            properties:
              auth:
                description: |-
                  Additional.
                "$ref": "definitions/auth_data.yaml"
              bind_email:
                type: boolean
              inhibit_login:
                type: boolean
                default: false
                example: true
      responses:
        200:
          description: Registered.
          examples:
            application/json: {
              "user_id": "@a:b",
              "device_id": "D"
            }
          schema:
            type: object
            required: ['user_id']
            properties:
              user_id: {type: string, format: mx-user-id, pattern: "^@"}
              state: {type: [string, "null"]}
              rooms:
                type: object
                additionalProperties:
                  type: object
                  title: Joined Room
                  properties:
                    events: {type: array, items: {$ref: "../../event-schemas/schema/event.yaml"}}
        401:
          description: More.
          examples:
            application/json: {
              "flows": []
            }
          schema:
            "$ref": "definitions/auth_response.yaml"
        429:
          description: limited.
          schema:
            "$ref": "definitions/errors/rate_limited.yaml"
      tags:
        - User data
  "/account/password/email/requestToken":
    post:
      operationId: requestToken
      security:
        - accessToken: []
      parameters:
        - in: body
          name: body
          schema:
            $ref: "./definitions/request.yaml"
      responses:
        200: {description: sent, schema: {$ref: definitions/request.yaml}}
-- definitions/security.yaml --
accessToken:
  type: apiKey
  description: The access_token
  name: access_token
  in: query
-- definitions/auth_data.yaml --
title: Authentication Data
type: object
properties:
  type: {type: string}
  session: {type: string}
additionalProperties: {type: object}
required: [type]
-- definitions/auth_response.yaml --
type: object
title: Authentication response
properties:
  completed: {type: array, items: {type: string, description: x}}
  params:
    type: object
    additionalProperties: {type: object}
    example: {"a": {"b": "c"}}
  flows:
    type: array
    items:
      type: object
      title: Flow information
      properties: {stages: {type: array, items: {type: string}}}
required: [flows]
-- definitions/errors/error.yaml --
type: object
required: [errcode]
properties: {errcode: {type: string}}
-- definitions/errors/rate_limited.yaml --
allOf:
  - $ref: error.yaml
  - type: object
    properties: {retry_after_ms: {type: integer}}
-- definitions/request.yaml --
type: object
allOf:
  - $ref: "../../identity/definitions/request.yaml"
  - type: object
    properties: {id_server: {type: string}}
    required: []
`, want: both(gaps("event-schemas", "identity"), hasOperation("POST", "/_matrix/client/v3/register", "register"))},
		{name: "history: 2022", spec: `
openapi: 3.1.0
info: {title: Login, version: 1.0.0}
paths:
  /login:
    post:
      operationId: login
      x-changedInMatrixVersion:
        1.2: |
          Changed.
      responses:
        "200":
          description: In.
          content:
            application/json:
              schema:
                type: object
                properties:
                  well_known:
                    type: object
                    title: Well-known
                    allOf: [{$ref: definitions/wellknown/full.yaml}]
                    description: |-
                      Optional.
              examples:
                response:
                  $ref: '#/components/examples/response'
components:
  examples:
    response: {value: {"a": 1}}
  securitySchemes:
    $ref: definitions/security.yaml
servers:
  - url: "{protocol}://{hostname}{basePath}"
    variables:
      protocol: {enum: [http, https], default: https}
      hostname: {default: localhost:8008}
      basePath: {default: /_matrix/client/v3}
-- definitions/security.yaml --
accessTokenQuery: {type: apiKey, name: access_token, in: query}
accessTokenBearer: {type: http, scheme: bearer}
-- definitions/wellknown/full.yaml --
type: object
properties:
  m.homeserver: {$ref: homeserver.yaml}
required: [m.homeserver]
additionalProperties: {type: [string, object]}
-- definitions/wellknown/homeserver.yaml --
type: object
properties: {base_url: {type: string, format: uri}}
`, want: both(gaps(), func(t *testing.T, a *API) {
			if len(a.Doc.Components.SecuritySchemes) != 2 {
				t.Errorf("the schemes are %v", a.Doc.Components.SecuritySchemes)
			}
			media := a.Doc.Paths.Value("/_matrix/client/v3/login").Post.Responses.Value("200").Value.Content.Get(
				"application/json")
			if len(media.Examples) != 1 || media.Examples["response"].Value.Value == nil {
				t.Errorf("the examples are %v", media.Examples)
			}
		})},
	}
}
