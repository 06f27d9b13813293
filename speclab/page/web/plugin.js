// What Swagger UI shows otherwise here: each operation says who answers it, and so does an answer; what would lead elsewhere or
// asks for a token in its own way is left out, because the page has a session.

const name = "Postern-Answered-By";
const nothing = () => null;

/** The operations and errors alone: title, servers and authorisation are the page's own. */
const layout = ({ React }) => ({ getComponent }) => {
  const part = (component, ...more) => React.createElement(getComponent(component, ...more), { key: component });
  return React.createElement("div", { className: "swagger-ui" }, [part("SvgAssets"), part("errors", true), part("operations", true)]);
};

/** The badge stands behind the path, inside the button that opens the operation, so that it is read with it. What it says is looked
 *  up in the document: an operation that was not opened yet, Swagger UI has not read. */
const badge = (Path, { React, specSelectors }) => (props) => {
  const { path, method } = props.operationProps.toObject();
  const by = specSelectors.specJson().getIn(["paths", path, method, "x-postern-answered-by"]) === "spec" ? "spec" : "real";
  return React.createElement(React.Fragment, null, React.createElement(Path, props), React.createElement("span", { className: `badge ${by}` }, by));
};

/** Swagger UI lower-cases the names of headers. */
const answer = (Response, { React }) => (props) => {
  const by = props.response?.getIn(["headers", name.toLowerCase()]);
  const said = by && React.createElement("p", { className: "answered", role: "status" }, "Answered by: ", React.createElement("strong", null, by));
  return React.createElement(React.Fragment, null, said, React.createElement(Response, props));
};

/** Of the answers that an operation documents, those that are no success show what they look like when somebody asks: most are the
 *  same error, and one after the other they made the operation several screens long. */
const folded = (ModelExample, { React }) => (props) => {
  const model = React.createElement(ModelExample, props);
  const [, , , part, status] = props.specPath.toJS();
  if (part !== "responses" || status.startsWith("2")) return model;
  return React.createElement("details", {}, React.createElement("summary", {}, "Example and schema"), model);
};

/** A field of a form that begins empty is not sent, unless somebody wants it to be: Swagger UI has it the other way round. */
const unsent = (IncludeEmpty, { React }) => (props) =>
  React.createElement(IncludeEmpty, { ...props, isIncludedOptions: { ...props.isIncludedOptions, defaultValue: false } });

export const plugin = (system) => ({
  components: {
    SpecLab: layout(system),
    authorizeBtn: nothing,
    authorizeOperationBtn: nothing,
    OperationServers: nothing,
  },
  wrapComponents: { OperationSummaryPath: badge, liveResponse: answer, modelExample: folded, ParameterIncludeEmpty: unsent },
});
