if not again then
  set('accepted', get('accepted') + tonumber(ARGV[5]))
  set('done', call)
end
return answer({})
