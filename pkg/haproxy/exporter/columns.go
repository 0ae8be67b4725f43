package exporter

// kind is what a row of HAProxy's statistics is about, as a set: the numbers
// are those of the command "show stat" and of the bit that stands for each.
type kind uint8

const (
	frontend kind = 1 << iota
	backend
	server
)

// kinds are all of them, in the order of their numbers in column 32.
func kinds() [3]kind { return [3]kind{frontend, backend, server} }

// String is the word in the names of metrics.
func (k kind) String() string {
	switch k {
	case frontend:
		return "frontend"
	case backend:
		return "backend"
	case server:
		return "server"
	}
	return "unknown"
}

// Columns of HAProxy's statistics that are more than values. HAProxy adds
// columns at the end only, so their numbers are the same in every version.
const (
	columnProxy   = 0
	columnServer  = 1
	columnLimit   = 6
	columnStatus  = 17
	columnActive  = 19
	columnBackup  = 20
	columnFailed  = 21
	columnDown    = 24
	columnCheck   = 38
	columnType    = 32
	columnReused  = 85
	columnsNeeded = 52
)

// column is one value of a row, and the metric that it becomes.
type column struct {
	index int
	// suffix follows haproxy_frontend_, haproxy_backend_ or haproxy_server_.
	suffix string
	// code is the value of a constant label of that name, "" for none.
	code string
	help string
	// of are the kinds of rows that have the metric.
	of kind
	// counts is whether HAProxy counts it from zero at each reload; the metric
	// goes on from where it was.
	counts bool
	// wanted is whether it is exported unless asked otherwise.
	wanted bool
}

// isHTTP is whether HAProxy counts it for proxies in HTTP mode alone.
func (c column) isHTTP() bool {
	return c.suffix == "http_responses_total" || c.suffix == "http_requests_total"
}

// columns are all metrics that rows can become, in the order of their columns.
func columns() []column {
	const inside, all = backend | server, frontend | backend | server
	return []column{
		{2, "current_queue", "", "Current number of queued requests not assigned to any server.", inside, false, true},
		{3, "max_queue", "", "Maximum observed number of queued requests not assigned to any server.", inside, false, false},
		{4, "current_sessions", "", "Current number of active sessions.", all, false, true},
		{5, "max_sessions", "", "Maximum observed number of active sessions.", all, false, true},
		{columnLimit, "limit_sessions", "", "Configured limit of sessions.", all, false, false},
		{7, "connections_total", "", "Total number of connections.", inside, true, true},
		{8, "bytes_in_total", "", "Total of incoming bytes.", all, true, true},
		{9, "bytes_out_total", "", "Total of outgoing bytes.", all, true, true},
		{10, "requests_denied_total", "", "Total of requests denied for security.", frontend, true, false},
		{12, "request_errors_total", "", "Total of request errors.", frontend, true, false},
		{13, "connection_errors_total", "", "Total of connection errors.", inside, true, true},
		{14, "response_errors_total", "", "Total of response errors.", inside, true, true},
		{15, "retry_warnings_total", "", "Total of retries.", inside, true, false},
		{16, "redispatch_warnings_total", "", "Total of redispatches to another server.", inside, true, false},
		{columnStatus, "up", "", "Whether it takes traffic (1) or not (0).", inside, false, true},
		{18, "weight", "", "Weight: of a backend, the sum of those of its servers.", inside, false, false},
		{columnFailed, "check_failures_total", "", "Total of failed health checks.", server, true, true},
		{columnDown, "downtime_seconds_total", "", "Total downtime in seconds.", server, true, true},
		{33, "current_session_rate", "", "Number of sessions in the last second.", all, false, true},
		{34, "limit_session_rate", "", "Configured limit of new sessions per second.", frontend, false, false},
		{35, "max_session_rate", "", "Maximum observed number of sessions per second.", all, false, true},
		{columnCheck, "check_duration_milliseconds", "", "Duration of the last health check in milliseconds.", server, false, false},
		{39, "http_responses_total", "1xx", responsesHelp, all, true, true},
		{40, "http_responses_total", "2xx", responsesHelp, all, true, true},
		{41, "http_responses_total", "3xx", responsesHelp, all, true, true},
		{42, "http_responses_total", "4xx", responsesHelp, all, true, true},
		{43, "http_responses_total", "5xx", responsesHelp, all, true, true},
		{44, "http_responses_total", "other", responsesHelp, all, true, true},
		{48, "http_requests_total", "", "Total of HTTP requests.", frontend, true, false},
		{58, "http_average_queue_latency_milliseconds", "", "Average time in the queue over the last 1024 requests, in milliseconds.", inside, false, true},
		{59, "http_average_connect_latency_milliseconds", "", "Average time to connect over the last 1024 requests, in milliseconds.", inside, false, true},
		{60, "http_average_response_latency_milliseconds", "", "Average time to the response over the last 1024 requests, in milliseconds.", inside, false, true},
		{79, "connections_total", "", "Total number of connections.", frontend, true, true},
		{columnReused, "connections_reused_total", "", "Total number of connections reused.", inside, true, true},
	}
}

// responsesHelp is one text for all codes: Prometheus wants one per name.
const responsesHelp = "Total of HTTP responses by the class of their status code."
