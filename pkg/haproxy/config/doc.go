// Package config is what HAProxy has, or is to have, as values: backends and
// their servers, lookup tables, certificates, and the text of all files. It
// does no input or output, and needs no HAProxy.
package config
