// What try-its begin with: the examples of the spec, with the development account's password in them.

/** What the contract's examples have where somebody's password stands. */
const placeholder = "example-password";

/** The password of the account that `serve --dev` made; undefined when there is none, or when it is not for this browser. */
export async function devPassword() {
  const answer = await fetch("/_postern/spec/password", { cache: "no-store" });
  return answer.ok ? (await answer.json()).password : undefined;
}

/** A copy of the document whose try-its begin as they should. */
export function prepared(document, password = placeholder) {
  const copy = JSON.parse(JSON.stringify(document), (_, value) => (value === placeholder ? password : value));
  for (const item of Object.values(copy.paths ?? {})) {
    for (const operation of Object.values(item)) {
      for (const [kind, media] of Object.entries(operation.requestBody?.content ?? {})) {
        if (/^(application\/x-www-form-urlencoded|multipart\/)/.test(kind)) beginForm(copy, media);
      }
    }
  }
  return copy;
}

/** Swagger UI begins a form with the examples of its fields alone. They get those of the body's example; fields that it leaves out
 *  begin empty, and are then not sent. */
function beginForm(document, media) {
  const schema = schemaOf(document, media.schema);
  if (!media.example || !schema?.properties) return;
  const fields = Object.entries(schema.properties).map(([name, field]) => [name, { ...field, example: media.example[name] ?? "" }]);
  media.schema = { ...schema, properties: Object.fromEntries(fields) };
}

const schemaOf = (document, schema) =>
  schema?.$ref?.startsWith("#/components/schemas/") ? document.components?.schemas?.[schema.$ref.split("/").pop()] : schema;
