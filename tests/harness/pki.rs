//! Authorities and certificates, made anew by each test that needs some.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// Who vouches for certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both in PEM.
pub(crate) struct Credentials {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// By which it can be revoked.
    pub(crate) serial: u64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("the system has random numbers");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are sound"))
    }

    /// A certificate for these hosts, which servers and clients can show.
    pub(crate) fn issue(&self, hosts: &[&str]) -> Credentials {
        self.sign(params(hosts))
    }

    /// One whose time is over.
    pub(crate) fn issue_expired(&self, hosts: &[&str]) -> Credentials {
        let mut params = params(hosts);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Credentials {
        let key = KeyPair::generate().expect("the system has random numbers");
        let serial = fastrand::u64(1..);
        params.serial_number = Some(serial.into());
        let certificate = params.signed_by(&key, &self.0).expect("the parameters are sound");
        Credentials { certificate: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// A list of these as revoked, in PEM, which holds until the end of that year.
    pub(crate) fn revoke(&self, revoked: &[&Credentials], until: i32) -> String {
        let revoked_certs = revoked.iter().map(|Credentials { serial, .. }| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.0).expect("the parameters are sound");
        list.pem().expect("it is one")
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts this authority, and nobody else.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client_with(rustls::ALL_VERSIONS, None)
    }

    /// The same with versions of TLS and a certificate of its own.
    pub(crate) fn client_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        credentials: Option<&Credentials>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("it is an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider has them")
            .with_root_certificates(roots);
        Arc::new(match credentials {
            None => config.with_no_client_auth(),
            Some(Credentials { certificate, key, .. }) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
                let chain = chain.collect::<Result<_, _>>().expect("it was just made");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it was just made");
                config.with_client_auth_cert(chain, key).expect("they belong together")
            }
        })
    }
}

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names or addresses");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
