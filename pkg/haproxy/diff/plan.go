package diff

import "router/pkg/haproxy/config"

// ReloadReason says, as a label for logs and metrics, why a change cannot be
// made while running.
type ReloadReason string

// The reasons for a reload.
const (
	ReasonStart           ReloadReason = "start"
	ReasonBase            ReloadReason = "global-settings"
	ReasonBackendAdded    ReloadReason = "backend-added"
	ReasonBackendSettings ReloadReason = "backend-settings"
	ReasonServerOptions   ReloadReason = "server-options"
	ReasonSlotsExhausted  ReloadReason = "server-slots-exhausted"
	ReasonServerCA        ReloadReason = "destination-ca"
	ReasonPayloadTooLarge ReloadReason = "payload-too-large"
	ReasonCommandFailed   ReloadReason = "command-failed"
	ReasonReplaced        ReloadReason = "reloaded-by-others"
)

// Reason is one thing that only a reload can change.
type Reason struct {
	Label ReloadReason
	// Object is the backend or file that it is about, "" for all.
	Object string
}

// Plan is how to get from one state to another.
type Plan struct {
	// Commands are to be sent now, in their order.
	Commands []Command
	// Reasons say why a reload has to follow.
	Reasons []Reason
	// SlotNames are the entries of the table of slots' names that the commands
	// bring.
	SlotNames map[string]string
}

// Sent is how many commands are sent; others only change what is known.
func (p *Plan) Sent() int {
	n := 0
	for i := range p.Commands {
		if p.Commands[i].Kind != "" {
			n++
		}
	}
	return n
}

// Command is one command for the runtime socket.
type Command struct {
	// Kind is the command's first words, for logs and metrics, "" where nothing
	// is sent.
	Kind string
	// Text is what is sent, with its payload. It may hold a private key:
	// never log it.
	Text string
	// Replace is set instead of Text where a list is replaced in one step.
	Replace Replacement
	// OKAnswer is an answer that is no error: what is wanted is there already.
	OKAnswer string
	// StopOnError keeps the commands behind this one back when it is refused.
	StopOnError bool
	// DrainsBackend is the backend that a server is taken out of, "" for none.
	DrainsBackend string
	// OnSuccess is what the command changes in HAProxy, nil for nothing.
	OnSuccess Effect
	// Object is the backend or file that the command is about, Entries those of
	// lookup tables.
	Object  string
	Entries []config.TableKey
}

// Replacement is a list that is replaced in one step: a ReplaceMap, ReplaceACL
// or ReplaceCrtLine.
type Replacement any

// ReplaceMap replaces a map by lines of a key and a value.
type ReplaceMap struct {
	Path  string
	Lines []string
}

// ReplaceACL replaces the entries of an ACL's file.
type ReplaceACL struct {
	Path    string
	Entries []string
}

// ReplaceCrtLine replaces a line of the crt-list by another with the same
// certificate; either may be "".
type ReplaceCrtLine struct{ List, Path, Old, Now string }
