package controller

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"router/pkg/model"
)

// SetFiles hands TLS files that have changed to the data plane. It returns at
// once when ctx ends.
func (c *Controller) SetFiles(ctx context.Context, files model.TLSFiles) {
	select {
	case c.requests <- func(context.Context) { c.files = &files }:
	case <-ctx.Done():
	}
}

// SetOwnAddresses has all routes looked at anew with other addresses of the
// machine. It returns at once when ctx ends.
func (c *Controller) SetOwnAddresses(ctx context.Context, addresses []netip.Addr) {
	select {
	case c.requests <- func(context.Context) { c.opts.Translate.Own.Addresses, c.allDirty = addresses, true }:
	case <-ctx.Done():
	}
}

// Routes reports all routes, by namespace and name.
func (c *Controller) Routes(ctx context.Context) ([]model.RouteReport, error) {
	reply := make(chan []model.RouteReport, 1)
	select {
	case c.requests <- func(ctx context.Context) { reply <- c.reports(ctx) }:
		return <-reply, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("asking the controller: %w", ctx.Err())
	}
}

func (c *Controller) reports(ctx context.Context) []model.RouteReport {
	live := c.opts.DataPlane.Reports(ctx)
	list := make([]model.RouteReport, 0, len(c.routes))
	for k, s := range c.routes {
		r := c.candidates.Get(k)
		v := c.verdict(k, s)
		report := model.RouteReport{
			Namespace: k.Namespace, Name: k.UniqueName(), Match: model.Match{Host: s.verdict.FullHost, Path: r.Spec.Path, Wildcard: s.verdict.Wildcard},
			Admitted: v.Admitted, Reason: string(v.Reason), Message: v.Message, Problems: s.told.problems, Servers: []model.ServerReport{},
		}
		if k.Kind == model.KindIngress {
			report.Ingress, report.Exact, report.Host = k.Name, r.Exact, shownHost(s.verdict)
		}
		if r.Spec.TLS != nil {
			report.Termination = model.Termination(r.Spec.TLS.Termination)
		}
		if l, ok := live[k]; ok {
			report.Backend = l.Backend
			report.Servers = append(report.Servers, l.Servers...)
		}
		list = append(list, report)
	}
	slices.SortFunc(list, func(a, b model.RouteReport) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}
