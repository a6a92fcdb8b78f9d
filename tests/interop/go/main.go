// The Go libraries: `client LIBRARY URL ERA`, where LIBRARY is go-sdk or mcp-go.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	mark3labs "github.com/mark3labs/mcp-go/client"
	marked "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const legacy, modern = "2025-11-25", "2026-07-28"

// What a session of either library can do.
type session interface {
	list(ctx context.Context) (names []string, err error)
	call(ctx context.Context, tool string, arguments map[string]any) (text string, isError bool, err error)
}

type official struct{ *mcp.ClientSession }

func (s official) list(ctx context.Context) (names []string, err error) {
	found, err := s.ListTools(ctx, nil)
	if err == nil {
		for _, tool := range found.Tools {
			names = append(names, tool.Name)
		}
	}
	return names, err
}

func (s official) call(ctx context.Context, tool string, arguments map[string]any) (string, bool, error) {
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return "", false, err
	}
	return result.Content[0].(*mcp.TextContent).Text, result.IsError, nil
}

type other struct{ *mark3labs.Client }

func (s other) list(ctx context.Context) (names []string, err error) {
	found, err := s.ListTools(ctx, marked.ListToolsRequest{})
	if err == nil {
		for _, tool := range found.Tools {
			names = append(names, tool.Name)
		}
	}
	return names, err
}

func (s other) call(ctx context.Context, tool string, arguments map[string]any) (string, bool, error) {
	request := marked.CallToolRequest{Params: marked.CallToolParams{Name: tool, Arguments: arguments}}
	result, err := s.CallTool(ctx, request)
	if err != nil {
		return "", false, err
	}
	return result.Content[0].(marked.TextContent).Text, result.IsError, nil
}

func connect(ctx context.Context, url, version, library string) (session, error) {
	if library == "go-sdk" {
		client := mcp.NewClient(&mcp.Implementation{Name: "interop", Version: "1"}, nil)
		opened, err := client.Connect(
			ctx,
			&mcp.StreamableClientTransport{Endpoint: url},
			&mcp.ClientSessionOptions{ProtocolVersion: version},
		)
		return official{opened}, err
	}
	client, err := mark3labs.NewStreamableHttpClient(url)
	if err != nil {
		return nil, err
	}
	if err = client.Start(ctx); err != nil {
		return nil, err
	}
	request := marked.InitializeRequest{}
	request.Params.ProtocolVersion = version
	request.Params.ClientInfo = marked.Implementation{Name: "interop", Version: "1"}
	_, err = client.Initialize(ctx, request)
	return other{client}, err
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	library, url, version := os.Args[1], os.Args[2], legacy
	if os.Args[3] == "modern" {
		version = modern
	}
	ctx := context.Background()
	opened := must(connect(ctx, url, version, library))
	tools := must(opened.list(ctx))
	call := func(tool string, arguments map[string]any) (string, bool) {
		text, isError, err := opened.call(ctx, tool, arguments)
		if err != nil {
			log.Fatal(tool, ": ", err)
		}
		return text, isError
	}
	first, _ := call("add", map[string]any{"left": 1, "right": 2})
	denied, isError := call("delete_everything", map[string]any{"path": "/"})
	// A map without members is nil here, and null on the wire.
	if text, failed := call("rest", nil); failed || text != "rested" {
		log.Fatal("without arguments: ", text)
	}
	again, _ := call("add", map[string]any{"left": 2, "right": 3})
	must(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"version": version, "tools": tools, "first": first,
		"denied": denied, "is_error": isError, "again": again,
	}))
}
