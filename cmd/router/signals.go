package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// lastMoment is how long the router has to end after the second signal; what
// is not done then is left undone.
const lastMoment = time.Second

// signalExit is what a shell adds the number of a signal to.
const signalExit = 128

// ending is how the router is told to stop: a first signal ends its context,
// and the router drains. A second one, of an administrator who does not want to
// wait, ends all at once.
type ending struct {
	// now is closed by the second signal.
	now chan struct{}

	mu   sync.Mutex
	last []func()
	code int
}

// endingKey is that of the ending in a context.
type endingKey struct{}

// endingOf is that of the program, or one that never comes.
func endingOf(ctx context.Context) *ending {
	if e, ok := ctx.Value(endingKey{}).(*ending); ok {
		return e
	}
	return &ending{now: make(chan struct{})}
}

// atOnce has do carried out at the second signal, or now if that has come.
func (e *ending) atOnce(do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.code != 0 {
		do()
		return
	}
	e.last = append(e.last, do)
}

// exitCode is 0 until the second signal.
func (e *ending) exitCode() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.code
}

// end carries out what the second signal asks for.
func (e *ending) end(code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.code = code
	for _, do := range e.last {
		do()
	}
	close(e.now)
}

// untilSignal is a context that ends with the first signal to stop, and knows
// of the second. stop gives the signals back.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	e := &ending{now: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithValue(parent, endingKey{}, e))
	received, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	next := func() (os.Signal, bool) {
		select {
		case s := <-received:
			return s, true
		case <-done:
			return nil, false
		}
	}
	go func() {
		if _, ok := next(); !ok {
			return
		}
		cancel()
		second, ok := next()
		if !ok {
			return
		}
		code := signalExit
		if number, ok := second.(syscall.Signal); ok {
			code += int(number)
		}
		e.end(code)
		select {
		case <-done:
		case <-time.After(lastMoment):
			os.Exit(code)
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		close(done)
		cancel()
	}
}
