(* An echo server in OCaml: a process for each client, as the library does it. *)
let echo input output =
  let data = Bytes.create 65536 in
  let rec go () =
    let count = Stdlib.input input data 0 65536 in
    if count > 0 then begin
      output_string output (Bytes.sub_string data 0 count);
      flush output;
      go ()
    end
  in
  go ()

let () =
  let port = int_of_string Sys.argv.(1) in
  Unix.establish_server echo (Unix.ADDR_INET (Unix.inet_addr_loopback, port))
