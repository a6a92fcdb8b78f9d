# METADATA
# title: Protocol methods
# description: Setting up and listing is permitted on every server that has rules.
# schemas:
#   - input: schema.input
package mcp.rules.methods.protocol

import data.mcp.lib.rules

# METADATA
# description: The method does nothing but set up or list.
# custom:
#   code: allowed
permit contains {"code": "allowed", "message": "protocol method", "rule": "mcp.rules.methods.protocol"} if {
	rules.server
	rules.is_protocol
}
