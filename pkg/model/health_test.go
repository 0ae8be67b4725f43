package model_test

import (
	"testing"

	"router/pkg/model"
)

func TestEndpointAddress(t *testing.T) {
	for id, want := range map[string]string{
		"pod:a-1:web:http:10.0.0.1:8080": "10.0.0.1:8080",
		"pod:a-1:web::10.0.0.1:8080":     "10.0.0.1:8080",
		"ept:web:http:10.0.0.1:8080":     "10.0.0.1:8080",
		"pod:a-1:web:http:fd00::1:8080":  "[fd00::1]:8080",
		"ept:web::fd00::1:8080":          "[fd00::1]:8080",
		"s1":                             "",
		"":                               "",
		"pod:a":                          "",
		"ept:web:http:name:8080":         "",
		"ept:web:http:10.0.0.1:65536":    "",
	} {
		got := ""
		if address, ok := model.EndpointAddress(id); ok {
			got = address.String()
		}
		if got != want {
			t.Errorf("%q: %q instead of %q", id, got, want)
		}
	}
}
