package config

import (
	"fmt"
	"testing"
)

func TestSpareSlotsAreBounded(t *testing.T) {
	for n, want := range map[int]int{0: 3, 1: 3, 3: 3, 10: 10, 64: 64, 65: 64, 1000: 64} {
		var endpoints []Server
		for i := range n {
			endpoints = append(endpoints, Server{Name: fmt.Sprint("e", i), Endpoint: fmt.Sprint("e", i), Ready: true})
		}
		placed := freshSlots(nil, endpoints, "")
		if got := len(placed) - n; got != want {
			t.Errorf("for %d endpoints, %d slots are free, want %d", n, got, want)
		}
		// Those that stay keep their slots, and the others take what is left.
		if n < 3 {
			continue
		}
		endpoints[1].Name, endpoints[1].Endpoint = "new", "new"
		again := freshSlots(placed, endpoints, "")
		for i := range n {
			if again[i].Name != slotName(i) || again[i].Endpoint != endpoints[i].Endpoint {
				t.Fatalf("slot %d is %+v, want %s", i, again[i], endpoints[i].Endpoint)
			}
		}
	}
}
