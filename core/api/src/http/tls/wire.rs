//! A connection that may be encrypted, and how a client makes one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};
use tower::Service;

use super::super::{BoxError, Protocol};
use crate::http::security::ClientTls;

/// A TCP connection, encrypted or not.
pub(in crate::http) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn stream(&mut self) -> Pin<&mut (dyn Stream + '_)> {
        match self {
            Wire::Plain(stream) => Pin::new(stream),
            Wire::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Wire::Plain(stream) => stream.connected(),
            Wire::Tls(stream) => stream.get_ref().0.connected(),
        }
    }
}

/// Connects to `http` addresses without and to `https` addresses with TLS.
#[derive(Clone)]
pub(in crate::http) struct Connector {
    tcp: HttpConnector,
    tls: Option<ClientTls>,
    protocol: Protocol,
}

impl Connector {
    pub(in crate::http) fn new(mut tcp: HttpConnector, tls: Option<ClientTls>, protocol: Protocol) -> Connector {
        tcp.enforce_http(false);
        Connector { tcp, tls, protocol }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri.clone());
        let (tls, protocol) = (self.tls.clone(), self.protocol);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            if uri.scheme_str() != Some("https") {
                return Ok(TokioIo::new(Wire::Plain(stream)));
            }
            let tls = tls.ok_or("https needs the authorities whose certificates are believed")?;
            let mut config = tls.0.borrow().as_ref().clone();
            config.alpn_protocols = vec![match protocol {
                Protocol::Http1 => b"http/1.1".to_vec(),
                Protocol::Http2 => b"h2".to_vec(),
            }];
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(host.to_owned())?;
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            Ok(TokioIo::new(Wire::Tls(Box::new(TlsStream::Client(stream)))))
        })
    }
}
