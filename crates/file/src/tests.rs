//! What is promised of a file that is written, in folders of one test each.

use super::*;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lossgraph-file-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_made_and_replaced_and_nothing_stays_beside_it() {
    let folder = Folder::new("replace");
    let file = folder.file("a");
    for content in ["the first, and longer", "the second"] {
        write_atomically(&file, content).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn a_failure_halfway_keeps_the_old_file_and_removes_the_temporary_one() {
    let folder = Folder::new("halfway");
    let file = folder.file("a");
    fs::write(&file, "old").unwrap();
    let half = |file: &mut File| {
        file.write_all(b"half of the ne")?;
        Err(io::Error::other("the disk is full"))
    };
    let Failure(step, source) = replace(&file, half).err().unwrap();
    assert!(step.starts_with("writing to "), "{step}");
    assert_eq!(source.to_string(), "the disk is full");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn a_name_that_cannot_be_taken_leaves_the_folder_as_it_was() {
    let folder = Folder::new("rename");
    let target = folder.file("a");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("b"), "in the way").unwrap();
    let Failure(step, _) = replace(&target, |file| file.write_all(b"new")).err().unwrap();
    assert!(step.starts_with("opening "), "{step}");
    assert_eq!(fs::read_to_string(target.join("b")).unwrap(), "in the way");
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn an_error_names_the_path_and_what_failed() {
    let error = write_atomically("no/such/folder/a.svg", "x").unwrap_err().to_string();
    let start =
        "no/such/folder/a.svg cannot be written: the folder no/such/folder does not exist: ";
    assert!(error.starts_with(start), "{error}");
    let folder = Folder::new("folder");
    let error = write_atomically(&folder.0, "x").unwrap_err().to_string();
    let path = folder.0.display();
    assert!(error.ends_with(&format!("looking for a file at {path}: it is a folder")), "{error}");
    let error = write_atomically("", "x").unwrap_err().to_string();
    assert!(error.contains("expected the name of a file"), "{error}");
}

#[test]
fn what_cannot_be_written_is_known_before_and_nothing_is_changed() {
    let folder = Folder::new("check");
    fs::write(folder.file("a"), "old").unwrap();
    fs::create_dir(folder.file("b")).unwrap();
    check_writable(folder.file("a")).unwrap();
    check_writable(folder.file("new")).unwrap();
    assert_eq!(fs::read_to_string(folder.file("a")).unwrap(), "old");
    assert_eq!(folder.names(), ["a", "b"]);
    let error = check_writable(folder.file("b")).unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
    let error = check_writable(folder.file("none/a")).unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

#[test]
fn writers_at_the_same_time_leave_the_whole_content_of_one() {
    let folder = Folder::new("writers");
    let file = folder.file("a");
    let contents: Vec<String> = (0..8).map(|i| i.to_string().repeat(100_000)).collect();
    std::thread::scope(|scope| {
        for content in &contents {
            let file = &file;
            scope.spawn(move || (0..10).for_each(|_| write_atomically(file, content).unwrap()));
        }
    });
    assert!(contents.contains(&fs::read_to_string(&file).unwrap()));
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn a_temporary_file_that_somebody_left_is_not_written_to() {
    let folder = Folder::new("left");
    let (first, file) = Temporary::new(&folder.0).ok().unwrap();
    drop(file);
    // The names that come next are taken.
    let count: u64 = {
        let name = first.path.file_name().unwrap().to_str().unwrap();
        name.rsplit(['-', '.']).nth(1).unwrap().parse().unwrap()
    };
    let left = |i: u64| folder.file(&format!(".lossgraph-{}-{}.part", process::id(), count + i));
    (1..50).for_each(|i| fs::write(left(i), "left").unwrap());
    drop(first);
    write_atomically(folder.file("a"), "new").unwrap();
    assert_eq!(fs::read_to_string(folder.file("a")).unwrap(), "new");
    assert!((1..50).all(|i| fs::read_to_string(left(i)).unwrap() == "left"));
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_somebody_writes_is_not() {
    let folder = Folder::new("abandoned");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let made = |name: &str| {
        let file = File::create(folder.file(name)).unwrap();
        file.set_modified(old).unwrap();
        file
    };
    let [_, _, held] = [".lossgraph-1-0.part", "mine.part", ".lossgraph-1-1.part"].map(made);
    held.try_lock().unwrap();
    fs::write(folder.file(".lossgraph-1-2.part"), "a moment old").unwrap();
    write_atomically(folder.file("a"), "new").unwrap();
    let stay = [".lossgraph-1-1.part", ".lossgraph-1-2.part", "a", "mine.part"];
    assert_eq!(folder.names(), stay);
    // A process that ends, however it does, gives its locks back.
    drop(held);
    write_atomically(folder.file("a"), "newer").unwrap();
    assert_eq!(folder.names(), [".lossgraph-1-2.part", "a", "mine.part"]);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::{Command, Stdio};

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = Folder::new("link");
        fs::create_dir(folder.file("far")).unwrap();
        fs::write(folder.file("far/target"), "old").unwrap();
        // A link to a link, both relative to the folder in which they stand.
        symlink("target", folder.file("far/near")).unwrap();
        symlink("far/near", folder.file("link")).unwrap();
        write_atomically(folder.file("link"), "new").unwrap();
        assert_eq!(fs::read_to_string(folder.file("far/target")).unwrap(), "new");
        for link in ["link", "far/near"] {
            assert!(fs::symlink_metadata(folder.file(link)).unwrap().is_symlink(), "{link}");
        }
    }

    #[test]
    fn a_link_to_nothing_makes_its_target_and_one_to_itself_is_refused() {
        let folder = Folder::new("dangling");
        symlink("target", folder.file("link")).unwrap();
        write_atomically(folder.file("link"), "new").unwrap();
        assert_eq!(fs::read_to_string(folder.file("target")).unwrap(), "new");
        symlink("circle", folder.file("circle")).unwrap();
        let error = write_atomically(folder.file("circle"), "new").unwrap_err().to_string();
        assert!(error.contains("following the links of"), "{error}");
    }

    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        let folder = Folder::new("pipe");
        let pipe = folder.file("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
        write_atomically(&pipe, "through").unwrap();
        assert_eq!(reader.wait_with_output().unwrap().stdout, b"through");
        assert_eq!(folder.names(), ["pipe"]);
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }

    #[test]
    fn a_device_is_written_to_and_its_failure_is_told() {
        write_atomically("/dev/null", "nothing").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        if Path::new("/dev/full").exists() {
            let error = write_atomically("/dev/full", "x").unwrap_err().to_string();
            assert!(error.starts_with("/dev/full cannot be written: writing to /dev/full: "));
        }
    }

    #[test]
    fn a_socket_is_written_to_and_stays_a_socket() {
        use std::io::Read;
        let folder = Folder::new("socket");
        let socket = folder.file("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let reader = std::thread::spawn(move || {
            let mut read = String::new();
            listener.accept().unwrap().0.read_to_string(&mut read).unwrap();
            read
        });
        write_atomically(&socket, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(is_stream(&socket) && folder.names() == ["socket"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_process_has_open_is_written_to_by_whatever_way_it_is_reached() {
        use std::os::fd::AsRawFd;
        let folder = Folder::new("descriptor");
        let path = folder.file("shared");
        fs::write(&path, "").unwrap();
        let mut open = OpenOptions::new().append(true).open(&path).unwrap();
        let number = open.as_raw_fd();
        symlink("/proc/self/fd", folder.file("fds")).unwrap();
        symlink(format!("fds/{number}"), folder.file("link")).unwrap();
        let ways = [
            format!("/dev/fd/{number}"),
            format!("/proc/self/fd/{number}"),
            format!("/dev/../proc/self/fd/{number}"),
            folder.file(&format!("fds/{number}")).display().to_string(),
            folder.file("link").display().to_string(),
        ];
        for way in &ways {
            assert!(is_stream(way), "{way}");
            open.write_all(b"theirs ").unwrap();
            write_atomically(way, "ours ").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs ours ".repeat(ways.len()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_regular_file_below_dev_is_replaced_as_any_other() {
        let file = PathBuf::from(format!("/dev/shm/lossgraph-file-{}", process::id()));
        if !Path::new("/dev/shm").is_dir() {
            return;
        }
        for content in ["the first, and longer", "the second"] {
            write_atomically(&file, content).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_owner() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = Folder::new("owner");
        let file = folder.file("a");
        fs::write(&file, "old").unwrap();
        // Root alone may give files away.
        if chown(&file, Some(12_345), Some(54_321)).is_ok() {
            write_atomically(&file, "new").unwrap();
            let metadata = fs::metadata(&file).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (12_345, 54_321));
        }
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        let folder = Folder::new("permissions");
        let file = folder.file("a");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        write_atomically(&file, "new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
