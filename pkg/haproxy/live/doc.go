// Package live is the running worker: the state that it is believed to have,
// changed by commands, read back after each change, and drained of what nobody
// wants any more.
package live
