return answer({})
