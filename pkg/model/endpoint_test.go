package model_test

import (
	"testing"

	"router/pkg/model"
)

func TestEndpointIDs(t *testing.T) {
	for id, want := range map[string]struct {
		model.EndpointID
		address string
	}{
		"pod:web-1:web:http:10.0.0.1:8080": {model.EndpointID{Pod: "web-1", Service: "web", PortName: "http", Address: "10.0.0.1:8080"}, "10.0.0.1:8080"},
		"pod:web-1:web::10.0.0.1:8080":     {model.EndpointID{Pod: "web-1", Service: "web", Address: "10.0.0.1:8080"}, "10.0.0.1:8080"},
		"pod:web-1:web:http:fd00::1:8080":  {model.EndpointID{Pod: "web-1", Service: "web", PortName: "http", Address: "fd00::1:8080"}, "[fd00::1]:8080"},
		"ept:web:http:10.0.0.1:8080":       {model.EndpointID{Service: "web", PortName: "http", Address: "10.0.0.1:8080"}, "10.0.0.1:8080"},
		"ept:web::fd00::1:8080":            {model.EndpointID{Service: "web", Address: "fd00::1:8080"}, "[fd00::1]:8080"},
		"ept:web:http:example.com:443":     {model.EndpointID{Service: "web", PortName: "http", Address: "example.com:443"}, ""},
		"ept:web:http:10.0.0.1:65536":      {model.EndpointID{Service: "web", PortName: "http", Address: "10.0.0.1:65536"}, ""},
		"ept:web:http:10.0.0.1":            {model.EndpointID{Service: "web", PortName: "http", Address: "10.0.0.1"}, ""},
	} {
		e, ok := model.ParseEndpointID(id)
		if !ok || e != want.EndpointID || e.String() != id {
			t.Errorf("%q is %+v, %v, and again %q", id, e, ok, e)
		}
		got := ""
		if address, ok := e.AddrPort(); ok {
			got = address.String()
		}
		if got != want.address {
			t.Errorf("%q: the address is %q instead of %q", id, got, want.address)
		}
	}
	for _, id := range []string{"fe_sni", "s1", "", "pod:a", "pod:a:b", "ept:a:b", "pod:a:b:c"} {
		e, ok := model.ParseEndpointID(id)
		if _, address := e.AddrPort(); ok || address || e != (model.EndpointID{}) {
			t.Errorf("%q is the endpoint %+v", id, e)
		}
	}
}
