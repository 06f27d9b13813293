package owed

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/spec"
)

// placer finds the parts of an API in its files.
func placer(api *spec.API) func(...string) spec.Position {
	if api.At("paths").Line > 1 {
		return api.At
	}
	return func(pointer ...string) spec.Position { // until package spec knows positions
		at := api.At()
		origin(reflect.ValueOf(api.Doc), pointer, &at)
		return at
	}
}

func origin(v reflect.Value, pointer []string, at *spec.Position) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if m := v.MethodByName("Value"); m.IsValid() && len(pointer) > 0 && m.Type().NumIn() == 1 {
			origin(m.Call([]reflect.Value{reflect.ValueOf(pointer[0])})[0], pointer[1:], at)
			return
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Map:
		if len(pointer) > 0 && v.Type().Key().Kind() == reflect.String {
			if inner := v.MapIndex(reflect.ValueOf(pointer[0]).Convert(v.Type().Key())); inner.IsValid() {
				origin(inner, pointer[1:], at)
			}
		}
	case reflect.Slice:
		if len(pointer) > 0 {
			if i, err := strconv.Atoi(pointer[0]); err == nil && i < v.Len() {
				origin(v.Index(i), pointer[1:], at)
			}
		}
	case reflect.Struct:
		originOfStruct(v, pointer, at)
	}
}

func originOfStruct(v reflect.Value, pointer []string, at *spec.Position) {
	if inner := v.FieldByName("Value"); inner.IsValid() && v.FieldByName("Ref").IsValid() {
		if v.FieldByName("Ref").String() == "" {
			origin(inner, pointer, at)
		}
		return
	}
	if o, ok := field(v, "Origin").(*openapi3.Origin); ok && o != nil {
		note(at, o.Key)
		if len(pointer) > 0 {
			if there, found := o.Fields.Lookup(pointer[0]); found {
				note(at, &there)
			}
		}
	}
	if len(pointer) == 0 {
		return
	}
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name == pointer[0] {
			origin(v.Field(i), pointer[1:], at)
		}
	}
}

func field(v reflect.Value, name string) any {
	if f := v.FieldByName(name); f.IsValid() {
		return f.Interface()
	}
	return nil
}

func note(at *spec.Position, there *openapi3.Location) {
	if there != nil && there.Line > 0 {
		*at = spec.Position{File: at.File, Line: there.Line, Column: there.Column}
	}
}
