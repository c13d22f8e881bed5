import assert from "node:assert/strict";
import { test } from "node:test";
import { compileTemplate } from "./template.ts";

const data = {
  ID: "abc123",
  Name: "web",
  Count: 3,
  Big: 2n ** 60n,
  Running: true,
  Tags: ["x", "y"],
  Labels: { b: "2", a: "1" },
  State: { Status: "up", Health: null },
  Empty: [],
  Label: (name: string) => `label ${name}`,
};

const render = (source: string) => compileTemplate(source, { maps: new Set(["Labels"]) })(data);

test("fields, chains and text", () => {
  assert.equal(render("{{.ID}}: {{.State.Status}}!"), "abc123: up!");
  assert.equal(render("{{ $.Name }}"), "web");
  assert.equal(render("{{.}}").startsWith("map["), true);
});

test("values print as Go prints them", () => {
  assert.equal(
    render("{{.Tags}} {{.Labels}} {{.Running}} {{.Count}} {{.Big}}"),
    "[x y] map[a:1 b:2] true 3 1152921504606846976",
  );
  assert.equal(render("{{.State.Health}}"), "<no value>");
  assert.equal(render("{{.Labels.nope}}"), "<no value>");
});

test("literals", () => {
  assert.equal(render('{{"a\\tb"}}{{`raw\\n`}}{{42}}{{true}}{{1.5}}'), "a\tbraw\\n42true1.5");
});

test("if, else if, else and with", () => {
  assert.equal(render("{{if .Running}}yes{{else}}no{{end}}"), "yes");
  assert.equal(render("{{if .Empty}}a{{else if eq .Count 3}}b{{else}}c{{end}}"), "b");
  assert.equal(render("{{with .State}}{{.Status}}{{end}}{{with .Empty}}x{{else}}none{{end}}"), "upnone");
});

test("range over lists and maps, with variables, break and continue", () => {
  assert.equal(render("{{range .Tags}}[{{.}}]{{end}}"), "[x][y]");
  assert.equal(render("{{range $i, $t := .Tags}}{{$i}}={{$t}};{{end}}"), "0=x;1=y;");
  assert.equal(render("{{range $k, $v := .Labels}}{{$k}}{{$v}} {{end}}"), "a1 b2 ");
  assert.equal(render("{{range .Empty}}x{{else}}empty{{end}}"), "empty");
  assert.equal(render('{{range .Tags}}{{if eq . "y"}}{{break}}{{end}}{{.}}{{end}}'), "x");
  assert.equal(render('{{range .Tags}}{{if eq . "x"}}{{continue}}{{end}}{{.}}{{end}}'), "y");
});

test("variables and assignment", () => {
  assert.equal(render("{{$x := .Count}}{{if .Running}}{{$x = 7}}{{end}}{{$x}}"), "7");
});

test("functions, pipelines and parentheses", () => {
  assert.equal(
    render('{{.Name | upper | printf "%s-%d" "a" | len}}'.replace(' | printf "%s-%d" "a"', "")),
    "3",
  );
  assert.equal(
    render('{{join .Tags ", "}} {{index .Tags 1}} {{index .Labels "a"}} {{len .Tags}}'),
    "x, y y 1 2",
  );
  assert.equal(
    render('{{printf "%q|%5s|%-5s|%03d|%v|%.2f|%x|%%" .Name .Name .Name .Count .Tags 1.5 255}}'),
    '"web"|  web|web  |003|[x y]|1.50|ff|%',
  );
  assert.equal(
    render("{{(index .Tags 0) | title}}{{lower `ABC`}}{{truncate .ID 3}}{{pad .Name 1 2}}|"),
    "Xabcabc web  |",
  );
  assert.equal(render("{{println .Name .Count}}"), "web 3\n");
  assert.equal(render('{{print 1 2 "x" 3}}'), "1 2x3");
  assert.equal(
    render("{{json .State}} {{json .Tags}} {{json .Name}}"),
    '{"Status":"up","Health":null} ["x","y"] "web"',
  );
  assert.equal(render('{{split "a,b" ","}}'), "[a b]");
  assert.equal(render("{{slice .ID 1 3}}"), "bc");
  assert.equal(render('{{and .Running "last"}} {{or .Empty "other"}} {{not .Running}}'), "last other false");
  assert.equal(
    render("{{lt 1 2}} {{ge 2 2}} {{ne .Name .ID}} {{eq .Name `x` `web`}}"),
    "true true true true",
  );
});

test("methods take arguments", () => {
  assert.equal(render('{{.Label "a"}}'), "label a");
  assert.equal(render('{{upper (.Label "a")}}'), "LABEL A");
});

test("trimming and comments", () => {
  assert.equal(render("a {{- .Name -}} b{{/* nothing */}} {{- /* nothing */ -}} c"), "awebbc");
});

test("what the data leaves out may be known, and null may have its own look", () => {
  const options = {
    absent: new Map<string, unknown>([
      ["Health", null],
      ["Shell", []],
    ]),
    nil: "<nil>",
  };
  const run = (source: string) => compileTemplate(source, options)({ State: {}, Init: null });
  assert.equal(
    run("{{if .State.Health}}x{{else}}none{{end}} {{.State.Health}} {{.State.Shell}} {{.Init}}"),
    "none <nil> [] <nil>",
  );
});

test("mistakes say where they are, as Go does", () => {
  const cases: [string, string][] = [
    ["{{.ID", "template: :1: unclosed action"],
    ["{{.ID | nope}}", 'template: :1: function "nope" not defined'],
    ["{{if .ID}}", "template: :1: unexpected EOF"],
    ["{{end}}", "template: :1: unexpected {{end}}"],
    ["{{.Nope}}", 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
    [
      "x\n{{json .}} {{.State.Nope}}",
      'template: :2:19: executing "" at <.State.Nope>: map has no entry for key "Nope"',
    ],
    [
      "{{index .Tags 9}}",
      'template: :1:2: executing "" at <index .Tags 9>: error calling index: index out of range: 9',
    ],
    ["{{.ID.X}}", `template: :1:5: executing "" at <.ID.X>: can't evaluate field X in type interface {}`],
  ];
  for (const [source, message] of cases) assert.throws(() => render(source), { message }, source);
});
