// Package routes makes candidates of the objects that ask for routes. There is
// one adapter for each kind of object; what comes after it, admission and
// translation, knows candidates only.
package routes
