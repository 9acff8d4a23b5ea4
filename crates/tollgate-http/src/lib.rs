//! HTTP messages: header block, URL, dates, HTTP/1 parsing and framing.
