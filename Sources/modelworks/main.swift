print("modelworks")
