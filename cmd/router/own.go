package main

import (
	"net"

	"router/pkg/controller/translate"
	"router/pkg/options"
	"router/pkg/ownaddress"
)

// own is where this router can be reached, statistics included.
func own(o options.Options, statistics net.Addr) (translate.Own, error) {
	ports := []int{o.Global.Listen.HTTPPort, o.Global.Listen.HTTPSPort}
	if a, ok := statistics.(*net.TCPAddr); ok {
		ports = append(ports, a.Port)
	}
	addresses, err := ownaddress.List()
	return translate.Own{Addresses: addresses, Ports: ports}, err
}
