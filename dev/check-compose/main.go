// Loads a compose file as docker compose does, with the values of an env file, and prints what it would run.
// Anything that is wrong with the file by the compose schema ends it with a message.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	ctx := context.Background()
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithEnvFiles(os.Args[2]), cli.WithDotEnv, cli.WithProfiles([]string{"*"}))
	if err != nil {
		fail(err)
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		fail(err)
	}
	for _, service := range project.Services {
		fmt.Printf("%s: %d variables, waits for %v, publishes %d ports\n", service.Name, len(service.Environment), service.GetDependencies(), len(service.Ports))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
