//go:build tools

// Package tools pins kubeconform, the peer that `belay check` is measured beside.
package tools

import _ "github.com/yannh/kubeconform/cmd/kubeconform"
