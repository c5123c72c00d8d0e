// A framework with an executor of its own, both in protobuf over the Go client of the v1 APIs, that outlives its master, its agents and
// itself. Usage: framework MASTER_HOST:PORT; after the first line it waits until standard input ends. As an executor it is told by its
// environment.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/backoff"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	executorcalls "github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	"github.com/mesos/mesos-go/api/v1/lib/executor/config"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/callrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

const (
	patience     = 90 * time.Second
	executorName = "go"
)

func main() {
	log.SetFlags(0)
	if os.Getenv("MESOS_EXECUTOR_ID") != "" {
		execute()
		return
	}
	schedule(os.Args[1])
}

// The executor.

type runner struct {
	send    executorcalls.Sender
	options executor.CallOptions
	// What the agent has not acknowledged.
	tasks   map[string]mesos.TaskInfo
	updates map[string]executor.Call_Update
}

func execute() {
	configuration, err := config.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	client := httpcli.New(
		httpcli.Endpoint(fmt.Sprintf("http://%s/api/v1/executor", configuration.AgentEndpoint)),
		httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]),
	)
	r := &runner{
		send: httpexec.NewSender(client.Send),
		options: executor.CallOptions{
			executorcalls.Framework(configuration.FrameworkID),
			executorcalls.Executor(configuration.ExecutorID),
		},
		tasks:   make(map[string]mesos.TaskInfo),
		updates: make(map[string]executor.Call_Update),
	}
	for deadline := time.Now().Add(configuration.RecoveryTimeout); time.Now().Before(deadline); {
		connected, err := r.subscribe()
		if err == nil {
			return
		}
		log.Print(err)
		if connected {
			deadline = time.Now().Add(configuration.RecoveryTimeout)
		}
		time.Sleep(200 * time.Millisecond)
	}
	log.Fatal("the agent does not come back")
}

// subscribe returns nil once the executor is shut down.
func (r *runner) subscribe() (connected bool, err error) {
	var tasks []mesos.TaskInfo
	for _, task := range r.tasks {
		tasks = append(tasks, task)
	}
	var updates []executor.Call_Update
	for _, update := range r.updates {
		updates = append(updates, update)
	}
	call := executorcalls.Subscribe(tasks, updates).With(r.options...)
	response, err := r.send.Send(context.Background(), executorcalls.NonStreaming(call))
	if response != nil {
		defer response.Close()
	}
	if err != nil {
		return false, err
	}
	for {
		var event executor.Event
		if err := response.Decode(&event); err != nil {
			return true, err
		}
		if event.GetType() == executor.Event_SHUTDOWN {
			return true, nil
		}
		r.handle(&event)
	}
}

func (r *runner) handle(event *executor.Event) {
	switch event.GetType() {
	case executor.Event_LAUNCH:
		task := event.GetLaunch().GetTask()
		r.tasks[task.TaskID.Value] = task
		r.tell(task.TaskID, mesos.TASK_RUNNING)
		if string(task.Data) == "finish" {
			r.tell(task.TaskID, mesos.TASK_FINISHED)
		}
	case executor.Event_KILL:
		r.tell(event.GetKill().GetTaskID(), mesos.TASK_KILLED)
	case executor.Event_ACKNOWLEDGED:
		acknowledged := event.GetAcknowledged()
		delete(r.tasks, acknowledged.TaskID.Value)
		delete(r.updates, string(acknowledged.UUID))
	case executor.Event_MESSAGE:
		message := executorcalls.Message(event.GetMessage().GetData()).With(r.options...)
		if err := executorcalls.SendNoData(context.Background(), r.send, executorcalls.NonStreaming(message)); err != nil {
			log.Print(err)
		}
	}
}

// tell sends an update; one that does not arrive is sent again with the next subscription.
func (r *runner) tell(task mesos.TaskID, state mesos.TaskState) {
	uuid := make([]byte, 16)
	if _, err := rand.Read(uuid); err != nil {
		log.Fatal(err)
	}
	source, now := mesos.SOURCE_EXECUTOR, float64(time.Now().Unix())
	status := mesos.TaskStatus{
		TaskID:     task,
		State:      &state,
		Source:     &source,
		ExecutorID: &mesos.ExecutorID{Value: executorName},
		Timestamp:  &now,
		UUID:       uuid,
		Data:       []byte(strconv.Itoa(os.Getpid())),
	}
	update := executorcalls.Update(status).With(r.options...)
	r.updates[string(uuid)] = *update.Update
	if err := executorcalls.SendNoData(context.Background(), r.send, executorcalls.NonStreaming(update)); err != nil {
		log.Print(err)
	}
}

// The scheduler.

type framework struct {
	info   mesos.FrameworkInfo
	ids    store.Singleton
	master string

	lock    sync.Mutex
	caller  calls.Caller
	wanted  map[string]string
	agent   string
	updates []mesos.TaskStatus
	answers map[string]bool
	pids    map[string]bool
	failure error
}

// start subscribes, and again whenever the stream breaks, until the result is called.
func (f *framework) start() (stop func()) {
	client := httpcli.New(
		httpcli.Endpoint(fmt.Sprintf("http://%s/api/v1/scheduler", f.master)),
		httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]),
	)
	caller := callrules.WithFrameworkID(store.GetIgnoreErrors(f.ids)).Caller(httpsched.NewCaller(client))
	f.lock.Lock()
	f.caller = caller
	f.lock.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	rules := controller.LiftErrors().
		AndThen(controller.TrackSubscription(f.ids, time.Minute).Eval).
		AndThen(controller.AckStatusUpdates(caller).Eval)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = controller.Run(ctx, &f.info, caller,
			controller.WithEventHandler(rules.Handle(events.HandlerFunc(f.handle))),
			controller.WithFrameworkID(store.GetIgnoreErrors(f.ids)),
			controller.WithRegistrationTokens(backoff.Notifier(200*time.Millisecond, time.Second, ctx.Done())),
			controller.WithSubscriptionTerminated(func(err error) {
				var state controller.StateError
				if errors.As(err, &state) {
					f.lock.Lock()
					f.failure = err
					f.lock.Unlock()
				}
			}),
		)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (f *framework) call(call *scheduler.Call) error {
	f.lock.Lock()
	caller := f.caller
	f.lock.Unlock()
	return calls.CallNoData(context.Background(), caller, call)
}

func (f *framework) handle(ctx context.Context, e *scheduler.Event) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch e.GetType() {
	case scheduler.Event_OFFERS:
		for _, offer := range e.GetOffers().GetOffers() {
			if err := calls.CallNoData(ctx, f.caller, f.use(offer)); err != nil {
				return err
			}
		}
	case scheduler.Event_UPDATE:
		status := e.GetUpdate().GetStatus()
		f.updates = append(f.updates, status)
		if len(status.Data) > 0 {
			f.pids[string(status.Data)] = true
		}
	case scheduler.Event_MESSAGE:
		f.answers[string(e.GetMessage().GetData())] = true
	}
	return nil
}

func (f *framework) use(offer mesos.Offer) *scheduler.Call {
	soon := calls.RefuseSeconds(time.Second)
	if len(f.wanted) == 0 || (f.agent != "" && f.agent != offer.AgentID.Value) {
		return calls.Decline(offer.ID).With(soon)
	}
	f.agent = offer.AgentID.Value
	program, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	info := &mesos.ExecutorInfo{
		Type:       mesos.ExecutorInfo_CUSTOM,
		ExecutorID: mesos.ExecutorID{Value: executorName},
		Command:    &mesos.CommandInfo{Value: &program},
		Resources:  amounts(0.1, 64),
	}
	var tasks []mesos.TaskInfo
	for name, data := range f.wanted {
		tasks = append(tasks, mesos.TaskInfo{
			Name:      name,
			TaskID:    mesos.TaskID{Value: name},
			AgentID:   offer.AgentID,
			Executor:  info,
			Data:      []byte(data),
			Resources: amounts(0.01, 8),
		})
	}
	f.wanted = nil
	return calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(offer.ID)).With(soon)
}

func amounts(cpus, mem float64) mesos.Resources {
	return mesos.Resources{resources.NewCPUs(cpus).Resource, resources.NewMemory(mem).Resource}
}

func (f *framework) launch(tasks map[string]string) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.wanted = tasks
}

// wait looks, and does something again now and then, until the condition holds.
func (f *framework) wait(what string, holds func() bool, again func()) {
	deadline := time.Now().Add(patience)
	for round := 0; ; round++ {
		f.lock.Lock()
		done, failure := holds(), f.failure
		if failure != nil || time.Now().After(deadline) {
			log.Fatalf("%s: %v; updates: %v", what, failure, f.updates)
		}
		f.lock.Unlock()
		if done {
			return
		}
		if again != nil && round%10 == 0 {
			again()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (f *framework) told(task string, state mesos.TaskState, reason *mesos.TaskStatus_Reason) bool {
	for _, update := range f.updates {
		fits := reason == nil || (update.Reason != nil && *update.Reason == *reason)
		if update.TaskID.Value == task && update.GetState() == state && fits {
			return true
		}
	}
	return false
}

// survive asks until the master has said of all that they run: after a failover its agents come back one by one.
func (f *framework) survive(tasks []string, asked map[string]string) {
	f.lock.Lock()
	f.updates = nil
	f.lock.Unlock()
	reason := mesos.REASON_RECONCILIATION
	f.wait("reconciliation", f.all(tasks, mesos.TASK_RUNNING, &reason), func() {
		if err := f.call(calls.Reconcile(calls.ReconcileTasks(asked))); err != nil {
			log.Print(err)
		}
	})
}

func (f *framework) all(tasks []string, state mesos.TaskState, reason *mesos.TaskStatus_Reason) func() bool {
	return func() bool {
		for _, task := range tasks {
			if !f.told(task, state, reason) {
				return false
			}
		}
		return true
	}
}

func (f *framework) must(call *scheduler.Call) {
	if err := f.call(call); err != nil {
		log.Fatal(err)
	}
}

func schedule(master string) {
	timeout, checkpoint := 100.0, true
	f := &framework{
		info:    mesos.FrameworkInfo{User: "root", Name: "go-framework", FailoverTimeout: &timeout, Checkpoint: &checkpoint},
		ids:     store.NewInMemorySingleton(),
		master:  master,
		answers: make(map[string]bool),
		pids:    make(map[string]bool),
	}
	both := []string{"one", "two"}
	stop := f.start()
	f.launch(map[string]string{"one": "stay", "two": "stay"})
	f.wait("launch", f.all(both, mesos.TASK_RUNNING, nil), nil)
	f.must(calls.Message(f.agent, executorName, []byte("ping")))
	f.wait("answer", func() bool { return f.answers["ping"] }, nil)
	fmt.Println("running")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}

	f.survive(both, map[string]string{"one": f.agent, "two": f.agent})
	stop()
	stop = f.start()
	f.survive(both, nil)

	f.must(calls.Kill("one", f.agent))
	f.wait("kill", f.all([]string{"one"}, mesos.TASK_KILLED, nil), nil)
	f.launch(map[string]string{"three": "finish"})
	f.wait("another task", f.all([]string{"three"}, mesos.TASK_FINISHED, nil), nil)
	if len(f.pids) != 1 {
		log.Fatalf("it was not the same executor throughout: %v", f.pids)
	}
	f.must(&scheduler.Call{Type: scheduler.Call_TEARDOWN})
	stop()
	fmt.Println("survived")
}
