//! An OpenAPI description as one page: no scripts, nothing from elsewhere.

use serde_json::Value;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}\
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
h3 b{display:inline-block;min-width:3.5rem}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}\
pre{overflow:auto;padding:.75rem;border:1px solid var(--line);border-radius:.5rem;font-size:.85em}";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of an OpenAPI 3.1 description.
pub(super) fn render(description: &Value) -> String {
    let title = text(description, "/info/title");
    let mut page = Page(String::with_capacity(32 << 10));
    page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width\"><title>");
    page.text(title);
    page.raw("</title><style>");
    page.raw(STYLE);
    page.raw("</style></head><body>");
    page.element("h1", title);
    page.element("p", text(description, "/info/description"));
    page.raw("<p>Machine-readable: <a href=\"openapi.json\">openapi.json</a></p>");
    page.raw("<h2>Requests</h2>");
    for (path, operations) in members(description, "/paths") {
        for method in METHODS {
            if let Some(operation) = operations.get(method) {
                page.operation(method, path, operation);
            }
        }
    }
    page.raw("<h2>Shapes</h2>");
    for (name, schema) in members(description, "/components/schemas") {
        page.raw("<h3 id=\"");
        page.text(name);
        page.raw("\">");
        page.text(name);
        page.raw("</h3><pre>");
        page.text(&format!("{schema:#}"));
        page.raw("</pre>");
    }
    page.raw("</body></html>");
    page.0
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '&' => self.raw("&amp;"),
                '"' => self.raw("&quot;"),
                _ => self.0.push(c),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>"));
        self.text(text);
        self.raw(&format!("</{name}>"));
    }

    fn operation(&mut self, method: &str, path: &str, operation: &Value) {
        self.raw("<h3>");
        self.element("b", &method.to_uppercase());
        self.element("code", path);
        self.raw("</h3>");
        self.element("p", text(operation, "/summary"));
        self.element("p", text(operation, "/description"));
        if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
            self.raw("<p>Body: ");
            self.schema(body);
            self.raw("</p>");
        }
        self.raw("<table>");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            self.raw("<tr><td>");
            self.element("code", text(parameter, "/name"));
            self.raw("</td><td>");
            self.text(text(parameter, "/in"));
            if parameter["required"] == true {
                self.raw(", required");
            }
            self.raw("</td><td>");
            self.text(text(parameter, "/description"));
            self.raw("</td></tr>");
        }
        for (status, response) in members(operation, "/responses") {
            self.raw("<tr><td>");
            self.text(status);
            self.raw("</td><td>");
            for (_, content) in members(response, "/content") {
                self.schema(&content["schema"]);
            }
            self.raw("</td><td>");
            self.text(text(response, "/description"));
            self.raw("</td></tr>");
        }
        self.raw("</table>");
    }

    /// The name of a shape as a link to it, where it has one.
    fn schema(&mut self, schema: &Value) {
        let listed = schema.pointer("/items").or_else(|| schema.pointer("/properties/data/items"));
        let Some(target) = listed.unwrap_or(schema)["$ref"].as_str() else { return };
        let name = target.rsplit('/').next().unwrap_or_default();
        self.raw("<a href=\"#");
        self.text(name);
        self.raw("\">");
        self.text(name);
        self.raw("</a>");
        if listed.is_some() {
            self.raw(" list");
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}
