//! A stripe on a block device: a loop device, where the machine lets this process have one.

use super::{get, open, put};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tollgate_cache::disk::{FileDevice, Found};

const BYTES: u64 = 32 << 20;

struct Loop {
    device: PathBuf,
    image: PathBuf,
    _dir: tempfile::TempDir,
}

impl Loop {
    /// `None` where there are no loop devices to be had; says why.
    fn new() -> Option<Loop> {
        let dir = tempfile::tempdir().expect("a directory");
        let image = dir.path().join("image");
        File::create(&image).and_then(|file| file.set_len(BYTES)).expect("a sparse file");
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&image).output();
        match output {
            Ok(output) if output.status.success() => {
                let device = String::from_utf8_lossy(&output.stdout).trim().into();
                Some(Loop { device, image, _dir: dir })
            }
            Ok(output) => {
                println!("skipped: losetup: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: losetup: {error}");
                None
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let detached = Command::new("losetup").arg("--detach").arg(&self.device).status();
        assert!(std::thread::panicking() || detached.is_ok_and(|status| status.success()));
    }
}

fn refusal(path: &Path, bytes: u64) -> String {
    FileDevice::open(path, bytes).map(drop).expect_err("refused").to_string()
}

#[test]
fn a_block_device_is_used_whole_by_one_process_and_keeps_its_objects() {
    let Some(disk) = Loop::new() else { return };
    assert_eq!(FileDevice::block_device_bytes(&disk.device).ok(), Some(Some(BYTES)));
    assert!(refusal(&disk.device, BYTES + 1).contains("fewer than configured"));
    for found in [Found::New, Found::Warm] {
        let device = Arc::new(FileDevice::open(&disk.device, BYTES).expect("free"));
        assert!(refusal(&disk.device, BYTES).contains("in use"));
        let (stripe, opened) = open(&device, BYTES).expect("a stripe");
        let stripe = Arc::new(stripe);
        assert_eq!(opened.found, found);
        match found {
            Found::New => put(&stripe, 1, &[b'x'; 10_000]).expect("a good device"),
            _ => assert_eq!(get(&stripe, 1), Some(vec![b'x'; 10_000])),
        }
        stripe.sync().expect("a good device");
    }
}

#[test]
fn a_block_device_with_a_file_system_is_refused_until_that_is_erased() {
    let Some(disk) = Loop::new() else { return };
    let mut boot = vec![0; 8192];
    boot[1080..1082].copy_from_slice(&[0x53, 0xef]);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&disk.device)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &boot).and_then(|()| file.sync_all()))
        .expect("written");
    let message = refusal(&disk.device, BYTES);
    assert!(message.contains("ext4") && message.contains("wipefs"), "{message}");
    assert_eq!(std::fs::read(&disk.image).expect("the image")[..8192], boot, "nothing was written");
    let erased = std::fs::OpenOptions::new().write(true).open(&disk.device);
    erased
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 8192]).and_then(|()| file.sync_all()))
        .expect("erased");
    FileDevice::open(&disk.device, BYTES).expect("free and empty");
}
