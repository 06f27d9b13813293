package mock

import (
	"fmt"
	"testing"
)

// TestRoutes: which operation a path is, and what its parameters are.
func TestRoutes(t *testing.T) {
	t.Parallel()
	n := &routes{}
	for _, path := range []string{
		"/a", "/a/{x}", "/a/mine", "/a/{x}/b", "/a/mine/{y}/c", "/files/{name}.json", "/files/{name}", "/v/{one}-{two}",
		"/state/{type}/{key}", "/slash/",
	} {
		n.add(path, &operation{method: "GET", path: path})
	}
	n.add("/a/mine", &operation{method: "PUT", path: "/a/mine"})
	n.add("/a/{z}", &operation{method: "DELETE", path: "/a/{z}"})
	for _, test := range []struct{ method, path, want, values string }{
		{"GET", "/a", "/a", "map[]"},
		{"GET", "/a/1", "/a/{x}", "map[x:1]"},
		{"GET", "/a/mine", "/a/mine", "map[]"},
		{"DELETE", "/a/mine", "/a/{z}", "map[z:mine]"}, // the literal has no such method
		{"PUT", "/a/1", "", ""},
		{"GET", "/a/mine/b", "/a/{x}/b", "map[x:mine]"}, // back from the literal
		{"GET", "/a/mine/2/c", "/a/mine/{y}/c", "map[y:2]"},
		{"GET", "/a/x%2Fy", "/a/{x}", "map[x:x/y]"}, // an escaped slash parts nothing
		{"GET", "/a/x%2Fb", "/a/{x}", "map[x:x/b]"},
		{"GET", "/a/%zz", "/a/{x}", "map[x:%zz]"},
		{"GET", "/files/list.json", "/files/{name}.json", "map[name:list]"},
		{"GET", "/files/list.txt", "/files/{name}", "map[name:list.txt]"},
		{"GET", "/v/1-2", "/v/{one}-{two}", "map[one:1 two:2]"},
		{"GET", "/state/m.name/", "/state/{type}/{key}", "map[key: type:m.name]"},
		{"GET", "/state//x", "", ""},
		{"GET", "/slash/", "/slash/", "map[]"},
		{"GET", "/slash", "", ""},
		{"GET", "", "", ""},
		{"GET", "/", "", ""},
	} {
		o, values := n.find(test.method, test.path)
		switch {
		case o == nil && test.want == "":
		case o == nil:
			t.Errorf("%s %s is nothing, want %s", test.method, test.path, test.want)
		case o.path != test.want || fmt.Sprint(values) != test.values:
			t.Errorf("%s %s is %s with %v, want %s with %s", test.method, test.path, o.path, values, test.want,
				test.values)
		}
	}
}
