"""The rules and tests a server begins with, made from its survey and merged with what people wrote. Pure."""
