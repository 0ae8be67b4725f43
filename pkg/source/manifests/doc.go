// Package manifests is the source that needs no cluster: it reads Kubernetes
// objects from the YAML and JSON files of a directory and follows edits.
//
// Decoding is strict. An object with an unknown field, a field given twice or
// a value of the wrong type is reported with its file and line; its last good
// version, if there was one, stays, and the other objects are not affected.
package manifests
