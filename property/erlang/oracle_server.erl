%% Plays scenarios of gen_servers: [Processes, Commands], a process being [Id, Trap].
%%
%% Each process notes what it is given. After a command the driver says: its answer and the answers to earlier calls that have
%% come since | for each process its number of links and monitors, or the reason of its end, and what it noted.
-module(oracle_server).
-export([play/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

-define(ROUNDS_MAX, 100000).

play([Processes, Commands]) ->
    process_flag(trap_exit, true),
    Table = ets:new(table, [public, ordered_set]),
    ets:insert(Table, [{count, 0}, {noted, 0}]),
    put(table, Table),
    put(pending, []),
    put(calls, 0),
    [start(none, [Id, ok, Trap]) || [Id, Trap] <- Processes],
    First = [rest("ok")],
    Seen = First ++ [rest(do(Command)) || Command <- Commands],
    [exit(Pid, kill) || Pid <- all()],
    Seen.

%% ---- commands

do([batch, Id, Commands]) ->
    Pid = pid_of(Id),
    case catch sys:suspend(Pid) of
        ok ->
            Said = [begin One = do(Command), settle(), One end || Command <- Commands],
            Pid ! {system, {self(), make_ref()}, resume},
            lists:join(", ", Said);
        _ ->
            "noproc"
    end;
do([start, Id, Parent, Outcome, Trap]) ->
    case is_process_alive(pid_of(Id)) of
        true -> "running";
        false -> start(Parent, [Id, Outcome, Trap])
    end;
do([call, Id, Op]) ->
    call(Id, Op);
do([cast, Id, Op]) ->
    gen_server:cast(pid_of(Id), Op),
    "sent";
do([info, Id, Text]) ->
    pid_of(Id) ! Text,
    "sent";
do([signal, Id, Reason]) ->
    Pid = pid_of(Id),
    {_, Monitor} = spawn_monitor(fun() -> exit(Pid, oracle:term_of(Reason)) end),
    receive {'DOWN', Monitor, process, _, _} -> "sent" end;
do([stop, Id, Reason]) ->
    try gen_server:stop(pid_of(Id), oracle:term_of(Reason), infinity) of ok -> "ok"
    catch exit:Why -> ended(Why)
    end.

%% Without a parent the driver starts it, and shares no fate with it. A gen_server that is started without a link counts as its own
%% parent, so a trapped signal from itself would end it: there is no such thing in bough.
start(none, Arguments) ->
    Started = gen_server:start_link(?MODULE, [get(table) | Arguments], []),
    case Started of
        {ok, Pid} -> unlink(Pid);
        _ -> ok
    end,
    started(Started);
start(Parent, [Id | Rest]) ->
    call(Parent, [start, Id | Rest]).

started({ok, _}) -> "ok";
started(ignore) -> "ignored";
started({error, Reason}) -> ["failed ", oracle:reason(Reason)].

%% A call waits for nobody: its answer is looked for after this command and all later ones.
call(Id, Op) ->
    Pid = pid_of(Id),
    Number = put(calls, get(calls) + 1),
    put(pending, get(pending) ++ [{Number, Pid, gen_server:send_request(Pid, Op)}]),
    "asked".

ended(noproc) -> "noproc";
ended({Reason, {sys, terminate, _}}) -> ended(Reason);
ended(Reason) -> ["exit ", oracle:reason(Reason)].

%% ---- rest

rest(Said) ->
    settle(),
    Answers = answers(),
    Shown = [show(Pid) || Pid <- all(), is_interesting(Pid)],
    ets:match_delete(get(table), {{note, '_', '_'}, '_'}),
    [Said, [[" ", Answer] || Answer <- Answers], " | ", lists:join(" ", Shown)].

answers() ->
    Looked = [{Number, Pid, Id, look(Pid, Id)} || {Number, Pid, Id} <- get(pending)],
    put(pending, [{Number, Pid, Id} || {Number, Pid, Id, timeout} <- Looked]),
    [[integer_to_list(Number), "=", Said] || {Number, _, _, Said} <- Looked, Said =/= timeout].

look(Pid, Id) ->
    %% The news of an end is on its way when the end is seen.
    Patience = case is_process_alive(Pid) of true -> 0; false -> infinity end,
    case gen_server:wait_response(Id, Patience) of
        {reply, Reply} -> Reply;
        {error, {Reason, _}} -> ended(Reason);
        timeout -> timeout
    end.

show(Pid) ->
    Notes = [Text || {{note, From, _}, Text} <- ets:tab2list(get(table)), From =:= Pid],
    State =
        case process_info(Pid, [links, monitors]) of
            undefined -> ["dead ", end_of(Pid)];
            [{links, Links}, {monitors, Monitors}] -> io_lib:format("~b/~b", [length(Links), length(Monitors)])
        end,
    [name(Pid), "(", State, ")[", lists:join(", ", Notes), "]"].

%% One that is replaced and has nothing to say is left out.
is_interesting(Pid) ->
    [{_, _, Id}] = ets:lookup(get(table), {pid, Pid}),
    pid_of(Id) =:= Pid orelse lists:any(fun({{note, From, _}, _}) -> From =:= Pid; (_) -> false end, ets:tab2list(get(table))).

end_of(Pid) ->
    case get({ended, Pid}) of
        undefined ->
            Monitor = get({watch, Pid}),
            receive
                {'DOWN', Monitor, process, Pid, Reason} ->
                    put({ended, Pid}, oracle:reason(Reason)),
                    end_of(Pid)
            end;
        Reason ->
            Reason
    end.

settle() ->
    settle(undefined, ?ROUNDS_MAX).

settle(_, 0) ->
    exit(no_rest);
settle(Before, Rounds) ->
    [put({watch, Pid}, monitor(process, Pid)) || Pid <- all(), get({watch, Pid}) =:= undefined],
    [catch sys:get_state(Pid, infinity) || Pid <- all()],
    Bonds = [bonds(Pid) || Pid <- all()],
    Now = {Bonds, ets:lookup(get(table), noted)},
    %% A bond with a dead process: its news has not arrived.
    IsBusy = lists:any(fun(Other) -> not is_process_alive(Other) end, lists:append(Bonds)),
    case IsBusy orelse Now =/= Before of
        true -> settle(Now, Rounds - 1);
        false -> ok
    end.

bonds(Pid) ->
    case process_info(Pid, [links, monitors]) of
        undefined -> [];
        [{links, Links}, {monitors, Monitors}] -> Links ++ [Other || {process, Other} <- Monitors]
    end.

%% ---- the table

all() ->
    [Pid || {_, Pid} <- lists:sort([{Number, Pid} || {{pid, Pid}, Number, _} <- ets:tab2list(get(table))])].

pid_of(Id) ->
    [{_, Pid}] = ets:lookup(get(table), {latest, Id}),
    Pid.

name(Pid) ->
    case ets:lookup(get(table), {pid, Pid}) of
        [{_, Number, Id}] -> io_lib:format("~s~b", [Id, Number]);
        [] -> "stranger"
    end.

note(Text) ->
    Table = get(table),
    ets:insert(Table, {{note, self(), ets:update_counter(Table, noted, 1)}, lists:flatten(Text)}).

%% ---- the server. Its state is the callers that wait for an answer, how it terminates, and its monitors.

-record(state, {waiting = [], manner = ok, monitors = []}).

init([_, _, fail, _]) -> {stop, sorry};
init([_, _, exit, _]) -> exit(bad);
init([_, _, error, _]) -> error(oops);
init([_, _, ignore, _]) -> ignore;
init([Table, Id, Outcome, Trap]) ->
    put(table, Table),
    process_flag(trap_exit, Trap),
    ets:insert(Table, [{{pid, self()}, ets:update_counter(Table, count, 1), Id}, {{latest, Id}, self()}]),
    case Outcome of
        ok -> {ok, #state{}};
        continue -> {ok, #state{}, {continue, 2}}
    end.

handle_call([reply], _, State) ->
    note("call"),
    {reply, "value", State};
handle_call([noreply], From, State) ->
    note("call noreply"),
    {noreply, State#state{waiting = State#state.waiting ++ [From]}};
handle_call([reply_early], From, State) ->
    gen_server:reply(From, "early"),
    {reply, "ignored", State};
handle_call([reply_continue, Count], _, State) ->
    note("call"),
    {reply, "value", State, {continue, Count}};
handle_call([stop_reply, Reason], _, State) ->
    {stop, oracle:term_of(Reason), "last words", State};
handle_call([stop_noreply, Reason], _, State) ->
    {stop, oracle:term_of(Reason), State};
handle_call([exit, Reason], _, _) ->
    exit(oracle:term_of(Reason));
handle_call([error], _, _) ->
    error(oops);
handle_call([ask, Id, Op], _, State) ->
    {reply, ["asked ", gen_server:call(pid_of(Id), Op, infinity)], State};
%% OTP 25 sends the EXIT of a failed start to the parent; later releases and bough do not.
handle_call([start, Id, Outcome, Trap], _, State) when Outcome =:= ok; Outcome =:= continue ->
    {reply, started(gen_server:start_link(?MODULE, [get(table), Id, Outcome, Trap], [])), State};
handle_call([start | Arguments], _, State) ->
    {reply, started(gen_server:start(?MODULE, [get(table) | Arguments], [])), State}.

handle_cast([note], State) ->
    note("cast"),
    {noreply, State};
handle_cast([continue, Count], State) ->
    note("cast"),
    {noreply, State, {continue, Count}};
handle_cast([release], State) ->
    %% The last to ask is answered first; a second answer counts for nothing.
    [begin gen_server:reply(From, "late"), gen_server:reply(From, "later") end || From <- lists:reverse(State#state.waiting)],
    {noreply, State#state{waiting = []}};
handle_cast([stop, Reason], State) ->
    {stop, oracle:term_of(Reason), State};
handle_cast([exit, Reason], _) ->
    exit(oracle:term_of(Reason));
handle_cast([error], _) ->
    error(oops);
handle_cast([manner, Manner], State) ->
    {noreply, State#state{manner = Manner}};
handle_cast([trap, Trap], State) ->
    process_flag(trap_exit, Trap),
    {noreply, State};
handle_cast([link, Id], State) ->
    note("link"),
    %% For a dead process on its own node link/1 raises an error unless exits are trapped, "for historical reasons" as its manual
    %% says; everywhere else, and in bough, it sends an exit signal.
    try link(pid_of(Id)) catch error:noproc -> exit(self(), noproc) end,
    {noreply, State};
handle_cast([unlink, Id], State) ->
    Pid = pid_of(Id),
    unlink(Pid),
    receive {'EXIT', Pid, _} -> ok after 0 -> ok end,
    {noreply, State};
handle_cast([monitor, Id], State) ->
    {noreply, State#state{monitors = State#state.monitors ++ [monitor(process, pid_of(Id))]}};
handle_cast([demonitor], State) ->
    case State#state.monitors of
        [] ->
            {noreply, State};
        Monitors ->
            demonitor(lists:last(Monitors), [flush]),
            {noreply, State#state{monitors = lists:droplast(Monitors)}}
    end;
handle_cast([signal, Id, Reason], State) ->
    note("signal"),
    exit(pid_of(Id), oracle:term_of(Reason)),
    {noreply, State}.

handle_info({'EXIT', Pid, Reason}, State) ->
    note(["EXIT ", name(Pid), " ", oracle:reason(Reason)]),
    {noreply, State};
handle_info({'DOWN', _, process, Pid, Reason}, State) ->
    note(["DOWN ", name(Pid), " ", oracle:reason(Reason)]),
    {noreply, State};
%% The second answer to a call without a time-out, which has no alias: a stray message. bough drops it.
handle_info({_, "ignored"}, State) ->
    {noreply, State};
handle_info(stop, State) ->
    {stop, normal, State};
handle_info(Text, State) ->
    note(io_lib:format("info ~s", [Text])),
    {noreply, State}.

handle_continue(0, State) ->
    note("continue 0"),
    {noreply, State};
handle_continue(Count, State) ->
    note(io_lib:format("continue ~b", [Count])),
    {noreply, State, {continue, Count - 1}}.

terminate(Reason, #state{manner = Manner}) ->
    note(["terminate ", oracle:reason(Reason)]),
    case Manner of
        ok -> ok;
        exit -> exit(worse);
        error -> error(worse)
    end.
