import mlflow

mlflow.set_tracking_uri("http://mlflow-server:5000")
mlflow.set_experiment("production-models")
with mlflow.start_run(run_name="baseline"):
    mlflow.log_param("model_type", "logistic")
    mlflow.log_metric("accuracy", 0.92)
    mlflow.sklearn.log_model(model, "model")
