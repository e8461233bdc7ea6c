// Prints the messages of the Kubernetes API as JSON, read from the published Go types: of every field its number, JSON
// name and type, from the struct tags, and how lists and maps merge, from the tags and the markers in its comment.
package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// Field is one row: how it is written, and how it merges.
type Field struct {
	Name string         `json:"name"`
	Type string         `json:"type"`
	Hint map[string]any `json:"hint,omitempty"`
}

// Message is a Go struct that has a protobuf form.
type Message struct {
	Fields map[string]Field `json:"fields"`
	// Atomic: server-side apply owns it as a whole.
	Atomic bool `json:"atomic,omitempty"`
	// Typed: its JSON has apiVersion and kind, which are not in its protobuf.
	Typed bool `json:"typed,omitempty"`
}

// Facts is what is printed. Messages are named by Go package and type.
type Facts struct {
	Kinds    map[string]string   `json:"kinds"`
	Messages map[string]*Message `json:"messages"`
}

var facts = Facts{Kinds: map[string]string{}, Messages: map[string]*Message{}}

// Types whose JSON is one value.
var values = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microTime",
	reflect.TypeFor[intstr.IntOrString]():   "intOrString",
	reflect.TypeFor[runtime.RawExtension](): "json",
	reflect.TypeFor[apiextensions.JSON]():   "json",
	reflect.TypeFor[metav1.FieldsV1]():      "json",
}

var typeMeta = reflect.TypeFor[metav1.TypeMeta]()

func main() {
	check(apiextensions.AddToScheme(scheme.Scheme))
	check(apiregistration.AddToScheme(scheme.Scheme))
	metav1.AddToGroupVersion(scheme.Scheme, schema.GroupVersion{Version: "v1"})
	for kind, object := range scheme.Scheme.AllKnownTypes() {
		stable := !strings.Contains(kind.Version, "alpha") && !strings.Contains(kind.Version, "beta")
		if stable && kind.Version != runtime.APIVersionInternal {
			facts.Kinds[kind.GroupVersion().String()+"/"+kind.Kind] = message(object)
		}
	}
	for _, object := range []any{metav1.PartialObjectMetadata{}, metav1.PartialObjectMetadataList{}} {
		t := reflect.TypeOf(object)
		facts.Kinds["meta.k8s.io/v1/"+t.Name()] = message(t)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(facts))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// message describes a struct and all that it holds, and returns its name.
func message(t reflect.Type) string {
	name := t.PkgPath() + "." + t.Name()
	if facts.Messages[name] != nil {
		return name
	}
	described := &Message{Fields: map[string]Field{}, Atomic: markersOf(t, "")["structType"] != nil}
	facts.Messages[name] = described
	for i := range t.NumField() {
		field := t.Field(i)
		described.Typed = described.Typed || field.Type == typeMeta
		tag := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(tag) < 3 {
			continue
		}
		_, protoName, _ := strings.Cut(field.Tag.Get("protobuf"), "name=")
		protoName, _, _ = strings.Cut(protoName, ",")
		described.Fields[tag[1]] = describe(t, field, protoName)
	}
	return name
}

func describe(owner reflect.Type, field reflect.StructField, protoName string) Field {
	name, options, tagged := strings.Cut(field.Tag.Get("json"), ",")
	if !tagged && name == "" {
		name = protoName
	}
	kept := field.Type.Kind() == reflect.Pointer || !strings.Contains(options, "omitempty")
	described := Field{Name: name, Type: typeOf(field.Type, kept), Hint: hintOf(owner, field)}
	return described
}

func typeOf(t reflect.Type, kept bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	suffix := ""
	if kept {
		suffix = "?"
	}
	if value := values[t]; value != "" {
		switch value {
		case "json":
			return "json?"
		case "intOrString":
			return value + suffix
		}
		return value
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes" + suffix
		}
		return "[]" + strings.TrimSuffix(typeOf(t.Elem(), false), "?")
	case reflect.Map:
		if t.Elem().Kind() == reflect.Slice && t.Elem().Elem().Kind() != reflect.Uint8 {
			return "{}|" + listMessage(t.Elem())
		}
		return "{}" + strings.TrimSuffix(typeOf(t.Elem(), false), "?")
	case reflect.Struct:
		if strings.HasPrefix(t.Name(), "JSONSchemaPropsOr") {
			return "|" + message(t) + suffix
		}
		return message(t)
	case reflect.String:
		return "string" + suffix
	case reflect.Int32, reflect.Int64:
		return t.Kind().String() + suffix
	case reflect.Float64:
		return "double" + suffix
	case reflect.Bool:
		return "bool" + suffix
	}
	panic("a field of the kind " + t.String())
}

// listMessage describes a list that is the value of a map: protobuf wraps it into a message.
func listMessage(t reflect.Type) string {
	name := t.PkgPath() + "." + t.Name()
	items := map[string]Field{"1": {Name: "items", Type: typeOf(t, false)}}
	facts.Messages[name] = &Message{Fields: items}
	return name
}

func hintOf(owner reflect.Type, field reflect.StructField) map[string]any {
	hint := map[string]any{}
	if key := field.Tag.Get("patchMergeKey"); key != "" {
		hint["mergeKey"] = key
	}
	if strategy := field.Tag.Get("patchStrategy"); strategy != "" {
		hint["strategy"] = strategy
	}
	markers := markersOf(owner, field.Name)
	if list := markers["listType"]; list != nil && list[0] != "atomic" {
		hint["list"] = list[0]
	}
	if keys := markers["listMapKey"]; keys != nil {
		hint["keys"] = keys
	}
	if types := append(markers["mapType"], markers["structType"]...); len(types) > 0 && types[0] == "atomic" {
		hint["atomic"] = true
	}
	if value := markers["default"]; value != nil {
		var parsed any
		if json.Unmarshal([]byte(value[0]), &parsed) == nil {
			hint["default"] = parsed
		}
	}
	return hint
}

type markers map[string][]string

// By package path, then by type, then by field; the markers of a type itself are those of the field "".
var sources = map[string]map[string]map[string]markers{}

func markersOf(t reflect.Type, field string) markers {
	source, known := sources[t.PkgPath()]
	if !known {
		source = readPackage(t.PkgPath())
		sources[t.PkgPath()] = source
	}
	return source[t.Name()][field]
}

func readPackage(path string) map[string]map[string]markers {
	found := map[string]map[string]markers{}
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	check(err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "types*.go"))
	check(err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		check(err)
		for _, declaration := range parsed.Decls {
			if types, ok := declaration.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				readTypes(types, found)
			}
		}
	}
	return found
}

func readTypes(types *ast.GenDecl, found map[string]map[string]markers) {
	for _, spec := range types.Specs {
		described := spec.(*ast.TypeSpec)
		fields := map[string]markers{"": parseMarkers(types.Doc, described.Doc)}
		found[described.Name.Name] = fields
		structure, ok := described.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				fields[name.Name] = parseMarkers(field.Doc)
			}
		}
	}
}

func parseMarkers(comments ...*ast.CommentGroup) markers {
	found := markers{}
	for _, group := range comments {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			text, marked := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(comment.Text, "//")), "+")
			if key, value, ok := strings.Cut(text, "="); marked && ok {
				found[key] = append(found[key], value)
			}
		}
	}
	return found
}
