%% The oracle: a real Erlang node that plays scenarios and says what it saw.
%%
%% One line in is one scenario, written as an Erlang term of lists, atoms and whole numbers: [supervisor | ...] or [server | ...].
%% One line out is what each of its commands led to, separated by tabs; the other side says the same in the same words.
%% Nothing here sleeps: after each command the driver calls every process until the world is at rest.
-module(oracle).
-export([main/0, reason/1, term_of/1]).

main() ->
    spawn(fun() -> loop(open_port({fd, 0, 1}, [{line, 1 bsl 20}, binary, eof])) end).

loop(Port) ->
    receive
        {Port, {data, {eol, Line}}} ->
            port_command(Port, [play(Line), $\n]),
            loop(Port);
        {Port, eof} ->
            halt(0)
    end.

%% Each scenario has a process of its own; what it leaves behind in its mailbox and its links goes with it.
play(Line) ->
    {ok, Tokens, _} = erl_scan:string(binary_to_list(Line) ++ "."),
    {ok, [Kind | Scenario]} = erl_parse:parse_term(Tokens),
    Play = fun() -> exit({played, (module(Kind)):play(Scenario)}) end,
    {Driver, Monitor} = spawn_monitor(Play),
    receive
        {'DOWN', Monitor, process, Driver, {played, Seen}} -> lists:join($\t, Seen);
        {'DOWN', Monitor, process, Driver, Fault} -> io_lib:format("oracle fault: ~0p", [Fault]);
        %% Nobody waits for the answer any more: the node must not outlive its test.
        {_, eof} -> halt(0)
    end.

module(supervisor) -> oracle_supervisor;
module(server) -> oracle_server;
module(statem) -> oracle_statem.

%% An exit reason in the words that both sides share. `error(oops)` comes with a stack, which is left out.
reason({Reason, {gen_server, call, _}}) -> io_lib:format("call ~s", [reason(Reason)]);
reason({shutdown, {failed_to_start_child, Id, Reason}}) ->
    io_lib:format("{shutdown,~s ~s}", [Id, reason(Reason)]);
reason({shutdown, Detail}) -> io_lib:format("{shutdown,~s}", [reason(Detail)]);
reason({Error, Stack}) when is_list(Stack) -> io_lib:format("error ~s", [reason(Error)]);
reason(Reason) when is_atom(Reason) -> atom_to_list(Reason);
reason(Reason) -> io_lib:format("~0p", [Reason]).

%% The exit reason that a scenario names.
term_of(shutdown_x) -> {shutdown, x};
term_of(Reason) -> Reason.
