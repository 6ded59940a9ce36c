// Judges dashboards by the types that Grafana generates from its own schemas: reads each file named on the command line
// strictly, so that a field that Grafana does not know, of another type, or missing is an error, also in the options of
// panels and in their queries. Prints one line an error; exit status 1 if there was any.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var model dashboard.Dashboard
	if err := model.UnmarshalJSONStrict(raw); err != nil {
		return err
	}
	return model.Validate()
}

func main() {
	plugins.RegisterDefaultPlugins()
	status := 0
	for _, file := range os.Args[1:] {
		// Without anything wrong the generated code may return an empty list of errors, which is not nil.
		if err := check(file); err != nil && err.Error() != "" {
			fmt.Printf("%s: %v\n", file, err)
			status = 1
		}
	}
	os.Exit(status)
}
