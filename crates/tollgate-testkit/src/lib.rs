//! Scenario runner: scripted clients and origins around a real proxy.
