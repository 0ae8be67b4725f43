// Package stats serves the statistics port, 1936 by default:
//
//	/healthz        is the router alive? Without a password.
//	/healthz/ready  does it serve every route that it knows? Without a password.
//	/metrics        metrics of the router and of HAProxy, for Prometheus
//	/api/routes     what became of each route, as JSON
//	/  and  /;csv   HAProxy's own statistics page
//	/debug/pprof/   profiles of the router; only where somebody is kept out
//
// HAProxy's metrics have the names, labels and types that dashboards know from
// the reference router. They come from the worker's command socket, not from
// HAProxy's own exporter, which writes 200 MB for 10,000 routes and cannot be
// narrowed down before version 3.0.
package stats
