//! SeaweedFS: master, volume server, filer and S3 gateway in one process. Honours conditions.

use crate::binary::find;
use crate::process::{Server, free_ports, insist};

/// `weed server -s3`.
pub struct SeaweedFs;

impl SeaweedFs {
    /// A running server; it takes a few seconds.
    ///
    /// # Panics
    /// When it is not installed (with the command that installs it) or does not start (with its log).
    pub fn start() -> Server {
        insist(|| {
            let [s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc] =
                free_ports();
            let server = Server::new(find("weed", "HOLDFAST_WEED"), s3);
            let folder = server.folder().display().to_string();
            std::fs::create_dir_all(server.folder().join("data")).expect("a data folder");
            std::fs::write(server.folder().join("s3.json"), identities(&server)).expect("settings");
            let arguments = [
                "-logtostderr=true".to_owned(),
                "server".to_owned(),
                "-ip=127.0.0.1".to_owned(),
                "-ip.bind=127.0.0.1".to_owned(),
                format!("-dir={folder}/data"),
                "-filer".to_owned(),
                "-s3".to_owned(),
                "-master.telemetry=false".to_owned(),
                "-master.volumeSizeLimitMB=64".to_owned(),
                "-volume.max=200".to_owned(),
                "-volume.preStopSeconds=0".to_owned(),
                format!("-s3.config={folder}/s3.json"),
                format!("-s3.localSocket={folder}/s3.sock"),
                format!("-filer.localSocket={folder}/filer.sock"),
                format!("-s3.port={s3}"),
                format!("-s3.port.grpc={s3_grpc}"),
                "-s3.port.iceberg=0".to_owned(),
                "-s3.port.lance=0".to_owned(),
                format!("-master.port={master}"),
                format!("-master.port.grpc={master_grpc}"),
                format!("-volume.port={volume}"),
                format!("-volume.port.grpc={volume_grpc}"),
                format!("-filer.port={filer}"),
                format!("-filer.port.grpc={filer_grpc}"),
            ];
            server.launch(arguments.into())
        })
    }
}

fn identities(server: &Server) -> String {
    let Server { access_key, secret_key, .. } = server;
    format!(
        r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{access_key}","secretKey":"{secret_key}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    )
}
