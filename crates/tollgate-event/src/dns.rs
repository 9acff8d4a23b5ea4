//! Name resolution with a cache.
//!
//! Responsible for: IP literals, the hosts file, the system's or the given name servers through hickory-resolver,
//! keeping answers for their time to live, remembering failures for a while.
//! Not responsible for: choosing among addresses, marking addresses down (the next hop does).
//! Invariant: the cache is shared by all event threads and bounded; entries are never used past their time.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// LIMIT: names kept.
const MAX_NAMES: usize = 20_000;

/// How names are resolved.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// Limit of one look-up; zero: none.
    pub timeout: Duration,
    /// How long a failure is remembered.
    pub failure_ttl: Duration,
    /// Upper bound for an answer's life.
    pub max_ttl: Duration,
    /// Address families, in order of preference.
    pub prefer_ipv6: bool,
    /// Names from the hosts file, lower case.
    pub hosts: HashMap<String, Vec<IpAddr>>,
    /// Name servers to ask; empty: the system's.
    pub servers: Vec<SocketAddr>,
}

impl Default for DnsOptions {
    fn default() -> Self {
        DnsOptions {
            timeout: Duration::from_secs(30),
            failure_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(86_400),
            prefer_ipv6: false,
            hosts: HashMap::new(),
            servers: Vec::new(),
        }
    }
}

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name is not one, or no address exists for it.
    #[error("no address for {0}")]
    NoAddress(String),
    /// The look-up took too long.
    #[error("look-up of {0} timed out")]
    Timeout(String),
    /// The name servers could not be asked.
    #[error("look-up of {name} failed: {reason}")]
    Failed {
        /// The name.
        name: String,
        /// What the resolver said.
        reason: String,
    },
}

struct Entry {
    result: Result<Arc<[IpAddr]>, DnsError>,
    until: Instant,
}

/// The cache that event threads share.
#[derive(Default)]
pub struct DnsCache {
    names: Mutex<HashMap<String, Entry>>,
}

/// One event thread's resolver.
pub struct Dns {
    cache: Arc<DnsCache>,
    options: DnsOptions,
    resolver: std::cell::OnceCell<Result<TokioResolver, String>>,
}

/// An answer and whether it came from the cache, the hosts file or a literal.
#[derive(Clone, Debug)]
pub struct Answer {
    /// At least one address.
    pub addrs: Arc<[IpAddr]>,
    /// No name server was asked.
    pub is_cached: bool,
}

impl Dns {
    /// A resolver for this thread.
    pub fn new(cache: Arc<DnsCache>, options: DnsOptions) -> Dns {
        Dns { cache, options, resolver: std::cell::OnceCell::new() }
    }

    /// The addresses of `host`: a name, an IPv4 address, or an IPv6 address with or without brackets.
    pub async fn lookup(&self, host: &str) -> Result<Answer, DnsError> {
        if let Some(addrs) = self.lookup_local(host) {
            return Ok(Answer { addrs, is_cached: true });
        }
        let name = host.to_ascii_lowercase();
        if let Some(result) = self.cached(&name) {
            return result.map(|addrs| Answer { addrs, is_cached: true });
        }
        let (result, ttl) = match self.resolve(&name).await {
            Ok((addrs, ttl)) => (Ok(addrs), ttl.min(self.options.max_ttl)),
            Err(e) => (Err(e), self.options.failure_ttl),
        };
        self.keep(name, result.clone(), ttl);
        result.map(|addrs| Answer { addrs, is_cached: false })
    }

    /// Literals and the hosts file: answers that need no waiting.
    pub fn lookup_local(&self, host: &str) -> Option<Arc<[IpAddr]>> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(addr) = bare.parse::<IpAddr>() {
            return Some(Arc::new([addr]));
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        self.options.hosts.get(&name).filter(|a| !a.is_empty()).map(|a| a.as_slice().into())
    }

    fn cached(&self, name: &str) -> Option<Result<Arc<[IpAddr]>, DnsError>> {
        let names = self.cache.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).filter(|e| e.until > Instant::now()).map(|e| e.result.clone())
    }

    fn keep(&self, name: String, result: Result<Arc<[IpAddr]>, DnsError>, ttl: Duration) {
        let mut names = self.cache.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES {
            let now = Instant::now();
            names.retain(|_, e| e.until > now);
            if names.len() >= MAX_NAMES {
                names.clear();
            }
        }
        names.insert(name, Entry { result, until: Instant::now() + ttl });
    }

    async fn resolve(&self, name: &str) -> Result<(Arc<[IpAddr]>, Duration), DnsError> {
        let failed = |reason: String| DnsError::Failed { name: name.to_string(), reason };
        let resolver = self.resolver.get_or_init(|| self.build()).as_ref().map_err(|e| failed(e.clone()))?;
        let (resolver, asked) = (resolver.clone(), name.to_string());
        let asking = asker().map_err(failed)?.spawn(async move { resolver.lookup_ip(asked).await });
        let abort = asking.abort_handle();
        let lookup = crate::timer::within(self.options.timeout, asking)
            .await
            .map_err(|_| {
                abort.abort();
                DnsError::Timeout(name.to_string())
            })?
            .map_err(|e| failed(e.to_string()))?
            .map_err(|e| {
                if e.is_no_records_found() {
                    DnsError::NoAddress(name.to_string())
                } else {
                    failed(e.to_string())
                }
            })?;
        let addrs: Arc<[IpAddr]> = lookup.iter().collect();
        if addrs.is_empty() {
            return Err(DnsError::NoAddress(name.to_string()));
        }
        Ok((addrs, lookup.valid_until().saturating_duration_since(Instant::now())))
    }

    fn build(&self) -> Result<TokioResolver, String> {
        let own = || {
            let servers = self.options.servers.iter().map(name_server).collect();
            ResolverConfig::from_name_servers(servers)
        };
        let mut builder = if self.options.servers.is_empty() {
            TokioResolver::builder_tokio().unwrap_or_else(|_| {
                TokioResolver::builder_with_config(ResolverConfig::default(), Default::default())
            })
        } else {
            TokioResolver::builder_with_config(own(), Default::default())
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.ip_strategy = if self.options.prefer_ipv6 {
            LookupIpStrategy::Ipv6thenIpv4
        } else {
            LookupIpStrategy::Ipv4thenIpv6
        };
        options.cache_size = 0;
        builder.build().map_err(|e| e.to_string())
    }
}

/// Where name servers are asked: a thread with the runtime that the resolver needs, for all event threads. It begins
/// with the first name that must be asked for, and ends with the process.
fn asker() -> Result<&'static Handle, String> {
    static ASKER: OnceLock<Result<Handle, String>> = OnceLock::new();
    let start = || -> std::io::Result<Handle> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("[ET_DNS]".to_string())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(handle)
    };
    ASKER.get_or_init(|| start().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
}

fn name_server(addr: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(addr.ip());
    server.connections.iter_mut().for_each(|connection| connection.port = addr.port());
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(hosts: &[(&str, &str)]) -> Dns {
        let hosts = hosts.iter().map(|(n, a)| (n.to_string(), vec![a.parse().expect("address")])).collect();
        Dns::new(Arc::default(), DnsOptions { hosts, ..DnsOptions::default() })
    }

    #[test]
    fn literals_and_the_hosts_file_need_no_server() {
        let dns = dns(&[("Mixed.example", "192.0.2.7"), ("a.example", "192.0.2.1")]);
        let first = |h: &str| dns.lookup_local(h).map(|a| a[0].to_string());
        assert_eq!(first("127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(first("[::1]").as_deref(), Some("::1"));
        assert_eq!(first("A.Example").as_deref(), Some("192.0.2.1"));
        assert_eq!(first("a.example.").as_deref(), Some("192.0.2.1"));
        assert_eq!(first("b.example"), None);
    }

    /// Answers every question for an IPv4 address with 192.0.2.53, and others with no data.
    fn serve_names(socket: std::net::UdpSocket) {
        let mut question = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut question) {
            let name_end = question[12..size].iter().position(|b| *b == 0).expect("a name") + 13;
            let is_a = question[name_end..name_end + 2] == [0, 1];
            let mut answer = question[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            answer.extend(&question[12..name_end + 4]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 53]);
            }
            socket.send_to(&answer, from).expect("room");
        }
    }

    #[test]
    fn given_name_servers_are_asked() {
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
        let server = socket.local_addr().expect("its address");
        // Ends with the process.
        std::thread::spawn(move || serve_names(socket));
        let main = move || async move {
            let options = DnsOptions { servers: vec![server], ..DnsOptions::default() };
            let answer = Dns::new(Arc::default(), options).lookup("www.example.").await.expect("an answer");
            assert_eq!(answer.addrs[..], [IpAddr::from([192, 0, 2, 53])]);
        };
        crate::EventThread::spawn(0, 1, main).expect("a thread").join().expect("no panic");
    }

    #[test]
    fn answers_are_kept_for_their_time() {
        let dns = dns(&[]);
        dns.keep("n".into(), Ok(Arc::new([IpAddr::from([192, 0, 2, 1])])), Duration::from_secs(60));
        dns.keep("gone".into(), Err(DnsError::NoAddress("gone".into())), Duration::ZERO);
        assert!(dns.cached("n").is_some_and(|r| r.is_ok()));
        assert!(dns.cached("gone").is_none());
    }
}
