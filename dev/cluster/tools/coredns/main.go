// CoreDNS with those of its plugins that a name server for tests uses. The whole has a hundred
// modules more, for clouds and clusters, and takes five times as long to build.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/erratic"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// In the order of CoreDNS' own plugin.cfg, in which they see a question.
	dnsserver.Directives = []string{"bind", "errors", "log", "template", "file", "erratic"}
	coremain.Run()
}
