package model

// TLSFiles are the contents of the router's own TLS files, which may change
// while it runs. Values are comparable.
type TLSFiles struct {
	// DefaultCertificate serves hosts without a certificate of their own.
	DefaultCertificate Certificate
	ClientTrust        ClientTrust
	// DestinationCA is PEM: the authorities that re-encrypt servers are
	// verified by where the route gives none; "" for none.
	DestinationCA string
}

// ClientTrust is what clients' certificates are checked against.
type ClientTrust struct {
	// CAs is PEM: the authorities that may have signed them.
	CAs string
	// CRLs is PEM: lists of revoked certificates. Where it is not "", each
	// authority needs a list that has not expired, or its clients are refused.
	CRLs string
}
