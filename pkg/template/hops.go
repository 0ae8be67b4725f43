package template

import "router/pkg/model"

// HopsView is the header that tells which routers a request has passed.
type HopsView struct {
	Name Arg
	// Own is the format of this router's value.
	Own Arg
	Max int
}

// maxHops is how many passes through routers are too many for one request. It
// has to be more than gateways need, which are pods that send requests to other
// routes, and each pass of a loop takes a connection.
const maxHops = 10

// hops is nil without an identifier. A request is known by its method, host and
// path: a pod may send a request with all its headers to another route.
func (b *builder) hops(identifier string) *HopsView {
	if identifier == "" {
		return nil
	}
	return &HopsView{
		Name: b.arg("header name", model.HopHeader), Max: maxHops,
		Own: b.arg("identifier", b.name("identifier", identifier).text+"-%[method,xxh32]-%[req.hdr(host),xxh32]-%[pathq,xxh32]"),
	}
}
